#include "runner/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define ROOT "/sys/fs/cgroup"

enum {
	REMOVE_TIMEOUT_MS = 2000,
	KILL_TIMEOUT_MS = 10 * 1000, /* a process in the kernel's hands may take its time */
	POLL_US = 500,
	PROCS_MAX_BYTES = 4 * 1024 * 1024,
	SHARES_OF_ONE = 1024,
	SHARES_LEAST = 2,
	SHARES_MOST = 262144, /* cgroup-v1/sched-design-CFS */
	WEIGHT_MOST = 10000,  /* cgroup-v2 */
	START_FACTOR = 4,
	LEFT_BYTES = 16 * 1024 * 1024, /* so little in memory counts as paged out in any case */
};

static bool is_v2(void)
{
	struct statfs fs;

	return statfs(ROOT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

bool cgroup_counts_swap(void)
{
	return is_v2() || file_exists(AT_FDCWD, ROOT "/memory/memory.memsw.limit_in_bytes");
}

/* The folder of a run in a hierarchy of v1 (NULL for v2). For free(). */
static char *folder_of(const struct datadir *dir, const char *hierarchy, const char *key)
{
	return mem_format(ROOT "%s%s/espace-%s%s%s", hierarchy ? "/" : "",
			  hierarchy ? hierarchy : "", dir->instance, key ? "/" : "",
			  key ? key : "");
}

/* The hierarchy that tells who is in a cgroup; all of v1 do, and the freezer freezes too. */
static char *main_folder(const struct datadir *dir, const char *key)
{
	return folder_of(dir, is_v2() ? NULL : "freezer", key);
}

static void pause_a_little(void)
{
	nanosleep(&(struct timespec){.tv_nsec = POLL_US * 1000L}, NULL);
}

static int write_text(const char *folder, const char *file, const char *text, struct err *err)
{
	owned(free) char *path = mem_format("%s/%s", folder, file);
	owned(close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "there is no cgroup")
				       : err_sys(err, "open %s", file);
	return file_put(fd, text, strlen(text), err) < 0 ? err_in(err, "%s", file) : 0;
}

/* Is `text` a line of the file, or its start? */
static bool holds(const char *folder, const char *file, const char *text)
{
	owned(free) char *path = mem_format("%s/%s", folder, file);
	owned(str_done) struct str content = str_new(4096);
	struct err err = ERR_INIT; /* gone: it holds nothing */

	return file_read(AT_FDCWD, path, &content, &err) == 0 && strstr(content.data, text);
}

int cgroup_bound_sockets(const struct datadir *dir, const char *key, uint64_t bytes,
			 struct err *err)
{
	owned(free) char *folder = folder_of(dir, "memory", key);
	char text[32];

	if (is_v2())
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	return write_text(folder, "memory.kmem.tcp.limit_in_bytes", text, err);
}

/* The freezer's files and words in both versions of cgroups. */
struct freezer {
	const char *file;
	const char *words[2]; /* to write: go on, stop */
	const char *state_file;
	const char *frozen; /* to be read there once all have stopped */
};

static const struct freezer *freezer(void)
{
	static const struct freezer v1 = {
		"freezer.state", {"THAWED", "FROZEN"}, "freezer.state", "FROZEN"};
	static const struct freezer v2 = {"cgroup.freeze", {"0", "1"}, "cgroup.events", "frozen 1"};

	return is_v2() ? &v2 : &v1;
}

int cgroup_freeze(const struct datadir *dir, const char *key, bool *frozen, struct err *err)
{
	owned(free) char *folder = main_folder(dir, key);
	const struct freezer *files = freezer();

	if (write_text(folder, files->file, files->words[true], err) < 0)
		return -1;
	*frozen = holds(folder, files->state_file, files->frozen);
	return 0;
}

bool cgroup_is_frozen(const struct datadir *dir, const char *key)
{
	owned(free) char *folder = main_folder(dir, key);

	return holds(folder, freezer()->state_file, freezer()->frozen);
}

void cgroup_forbid_swap(const struct datadir *dir, const char *key)
{
	owned(free) char *folder = main_folder(dir, key);
	struct err ignored = ERR_INIT; /* a kernel without swap: nothing to forbid */

	if (is_v2())
		(void)!write_text(folder, "memory.swap.max", "0", &ignored);
}

int cgroup_thaw(const struct datadir *dir, const char *key, struct err *err)
{
	owned(free) char *folder = main_folder(dir, key);

	cgroup_forbid_swap(dir, key);
	return write_text(folder, freezer()->file, freezer()->words[false], err);
}

/* What a run has in memory, or -1. */
static int64_t memory_of(const char *folder)
{
	owned(free) char *path =
		mem_format("%s/%s", folder, is_v2() ? "memory.current" : "memory.usage_in_bytes");
	owned(str_done) struct str text = str_new(64);
	struct err err = ERR_INIT; /* gone */

	return file_read(AT_FDCWD, path, &text, &err) < 0 ? -1 : strtoll(text.data, NULL, 10);
}

static int look_for_swap(struct err *err)
{
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return err_sys(err, "sysinfo");
	if (info.totalswap == 0)
		return err_set(err, ERR_NOT_FOUND, "the machine has no swap space");
	if (info.freeswap == 0)
		return err_set(err, ERR_FULL, "the machine's swap space is full");
	return 0;
}

/* One write that may take seconds. Not file_put(): a signal is to end it. */
static int reclaim(const char *folder, int64_t bytes, struct err *err)
{
	owned(free) char *path =
		mem_format("%s/%s", folder, is_v2() ? "memory.reclaim" : "memory.force_empty");
	owned(free) char *text = mem_format("%" PRId64, is_v2() ? bytes : 0);
	owned(close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "this kernel pages out no cgroup");
	if (write(fd, text, strlen(text)) >= 0)
		return 0;
	if (errno == EINTR)
		return err_set(err, ERR_BUSY, "it was not to be paged out any more");
	/* Some of what was asked for could not be moved; how much is looked at by the caller. */
	return errno == EAGAIN || errno == EBUSY ? 0 : err_sys(err, "page out");
}

int cgroup_page_out(const struct datadir *dir, const char *key, struct err *err)
{
	owned(free) char *folder = folder_of(dir, is_v2() ? NULL : "memory", key);
	int64_t before = memory_of(folder);
	int64_t left;

	if (before < 0)
		return err_set(err, ERR_NOT_FOUND, "there is no cgroup");
	/* Version 2 limits swap by itself, and a run that is awake may have none. */
	if (look_for_swap(err) < 0 ||
	    (is_v2() && write_text(folder, "memory.swap.max", "max", err) < 0) ||
	    reclaim(folder, before, err) < 0)
		return -1;
	left = memory_of(folder);
	if (left > LEFT_BYTES && left > before / 2)
		return err_set(err, ERR_FULL, "%" PRId64 " of %" PRId64 " bytes stay in memory",
			       left, before);
	return 0;
}

uint64_t cgroup_shares(uint32_t cpu_milli, bool starts)
{
	uint64_t shares = (uint64_t)cpu_milli * SHARES_OF_ONE / 1000 * (starts ? START_FACTOR : 1);

	if (shares > SHARES_MOST)
		return SHARES_MOST;
	return shares < SHARES_LEAST ? (uint64_t)SHARES_LEAST : shares;
}

/* Version 2 has another scale; runc has the same formula. */
static uint64_t weight_of(uint64_t shares)
{
	return 1 + (shares - SHARES_LEAST) * (WEIGHT_MOST - 1) / (SHARES_MOST - SHARES_LEAST);
}

int cgroup_settle(const struct datadir *dir, const char *key, uint32_t cpu_milli, struct err *err)
{
	owned(free) char *folder = folder_of(dir, is_v2() ? NULL : "cpu", key);
	uint64_t shares = cgroup_shares(cpu_milli, false);
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, is_v2() ? weight_of(shares) : shares);
	return write_text(folder, is_v2() ? "cpu.weight" : "cpu.shares", text, err);
}

/* Send SIGKILL to all in one cgroup; returns how many there were. */
static size_t kill_members(const char *folder)
{
	owned(free) char *path = mem_format("%s/cgroup.procs", folder);
	owned(str_done) struct str procs = str_new(PROCS_MAX_BYTES);
	struct err err = ERR_INIT; /* no such cgroup: nobody in it */
	size_t count = 0;
	char *at;

	if (file_read(AT_FDCWD, path, &procs, &err) < 0)
		return 0;
	at = procs.data;
	while (*at) {
		pid_t pid = (pid_t)strtol(at, &at, 10);

		if (pid > 1 && kill(pid, SIGKILL) == 0)
			count++;
		at += strspn(at, "\n");
	}
	return count;
}

/* Call `each` for a cgroup and all below it, the lowest first; returns the sum. */
static size_t walk(const char *folder, size_t (*each)(const char *folder))
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t sum = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		owned(free) char *path = NULL;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		path = mem_format("%s/%s", folder, entry->d_name);
		sum += walk(path, each);
	}
	closedir(dir);
	return sum + each(folder);
}

static size_t thaw(const char *folder)
{
	struct err err = ERR_INIT; /* not frozen, or gone: as good */

	(void)!write_text(folder, freezer()->file, freezer()->words[false], &err);
	return 0;
}

int cgroup_kill(const struct datadir *dir, const char *key, struct err *err)
{
	owned(free) char *folder = main_folder(dir, key);
	int64_t until_ms = clock_mono_ms() + KILL_TIMEOUT_MS;

	/* Frozen processes of v1 die only once they are thawed. */
	walk(folder, thaw);
	while (walk(folder, kill_members) > 0) {
		if (clock_mono_ms() > until_ms)
			return err_set(err, ERR_SYSTEM, "processes of %s do not end",
				       key ? key : "the instance");
		pause_a_little();
	}
	return 0;
}

static size_t remove_one(const char *folder)
{
	return rmdir(folder) < 0 && errno != ENOENT;
}

static bool is_gone(const char *folder)
{
	/* A cgroup may be busy for a moment after its last process has ended. */
	int64_t until_ms = clock_mono_ms() + REMOVE_TIMEOUT_MS;

	while (walk(folder, remove_one) > 0) {
		if (clock_mono_ms() > until_ms)
			return false;
		pause_a_little();
	}
	return true;
}

int cgroup_remove(const struct datadir *dir, const char *key, struct err *err)
{
	owned(free) char *own = folder_of(dir, NULL, key);
	DIR *root = is_v2() ? NULL : opendir(ROOT);
	struct dirent *entry;
	bool gone = is_gone(own);

	while (root && (entry = readdir(root))) {
		owned(free) char *folder = NULL;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		folder = folder_of(dir, entry->d_name, key);
		gone = is_gone(folder) && gone;
	}
	if (root)
		closedir(root);
	return gone ? 0
		    : err_set(err, ERR_SYSTEM, "a cgroup of %s stays", key ? key : "the instance");
}

bool cgroup_is_v2(void)
{
	return is_v2();
}

int cgroup_read(const struct datadir *dir, const char *key, const char *hierarchy, const char *file,
		struct str *out, struct err *err)
{
	owned(free) char *folder = folder_of(dir, hierarchy, key);
	owned(free) char *path = mem_format("%s/%s", folder, file);

	return file_read(AT_FDCWD, path, out, err) < 0 ? err_in(err, "%s", file) : 0;
}

static void each_below(const char *folder, void (*each)(void *arg, const char *key), void *arg)
{
	owned(closedir) DIR *runs = opendir(folder);
	const struct dirent *entry;

	while (runs && (entry = readdir(runs)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			each(arg, entry->d_name);
}

void cgroup_each(const struct datadir *dir, void (*each)(void *arg, const char *key), void *arg)
{
	owned(free) char *own = folder_of(dir, NULL, NULL);
	owned(closedir) DIR *root = is_v2() ? NULL : opendir(ROOT);
	const struct dirent *entry;

	each_below(own, each, arg);
	while (root && (entry = readdir(root))) {
		owned(free) char *folder = folder_of(dir, entry->d_name, NULL);

		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			each_below(folder, each, arg);
	}
}

struct wanted {
	const char *key;
	bool is_there;
};

static void compare(void *arg, const char *key)
{
	struct wanted *wanted = arg;

	wanted->is_there |= strcmp(key, wanted->key) == 0;
}

bool cgroup_exists(const struct datadir *dir, const char *key)
{
	struct wanted wanted = {.key = key};

	cgroup_each(dir, compare, &wanted);
	return wanted.is_there;
}
