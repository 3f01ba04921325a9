#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon/check/checkup.h"
#include "daemon/rundir.h"
#include "runner/cgroup.h"
#include "runner/check.h"
#include "runner/container.h"
#include "runner/record.h"
#include "runner/strays.h"

/*
 * What belongs to runs, one by one: each monitor, each cgroup and each loop device must have the
 * record of a run that has not ended. A start has some of them before its record says so, so what
 * looks wrong is asked again (checkup_settles()).
 */
enum { PATH_MAX_BYTES = 8192, MOUNTS_MAX_BYTES = 4 << 20 };

struct orphan {
	struct checkup *checkup;
	const char *key;    /* of a monitor or cgroup */
	const char *device; /* "loop7" */
	pid_t pid;          /* of a monitor */
};

static const struct datadir *dir_of(const struct orphan *orphan)
{
	return orphan->checkup->dir;
}

/* The record of a run that has not ended. */
static bool read_open(const struct datadir *dir, const char *key, struct record *out)
{
	struct err err = ERR_INIT; /* no key, no record: no run */

	return check_key(key, &err) == 0 && record_read(dir, key, out, &err) == 0 &&
	       out->run.state != ENGINE_ENDED;
}

static void report(struct orphan *orphan, const char *thing, bool (*is_wrong)(void *arg),
		   int (*mend)(void *arg, struct err *err))
{
	if (is_wrong(orphan) && checkup_settles(orphan->checkup, is_wrong, orphan))
		checkup_mend(orphan->checkup,
			     &(struct checkup_finding){.severity = CHECKUP_WARNING,
						       .thing = thing,
						       .what = "no run has it"},
			     mend, orphan);
}

/* --- monitors --- */

/* A run has one monitor; one that just starts does not know it yet. */
static bool is_nobodys_monitor(void *arg)
{
	const struct orphan *orphan = arg;
	struct record record;

	if (!strays_is(dir_of(orphan), orphan->pid, orphan->key))
		return false;
	return !read_open(dir_of(orphan), orphan->key, &record) ||
	       (record.conmon != 0 && record.conmon != orphan->pid);
}

static int end_monitor(void *arg, struct err *err)
{
	const struct orphan *orphan = arg;

	strays_end(dir_of(orphan), orphan->pid, orphan->key);
	return strays_is(dir_of(orphan), orphan->pid, orphan->key)
		       ? err_set(err, ERR_SYSTEM, "it does not end")
		       : 0;
}

static void look_at_monitor(void *arg, pid_t pid, const char *key)
{
	struct orphan orphan = {.checkup = arg, .pid = pid, .key = key};
	owned(free) char *thing = mem_format("conmon %d of run %.60s", (int)pid, key);

	report(&orphan, thing, is_nobodys_monitor, end_monitor);
}

/* --- cgroups --- */

static bool is_nobodys_cgroup(void *arg)
{
	const struct orphan *orphan = arg;
	struct record record;

	return cgroup_exists(dir_of(orphan), orphan->key) &&
	       !read_open(dir_of(orphan), orphan->key, &record);
}

static int remove_cgroup(void *arg, struct err *err)
{
	const struct orphan *orphan = arg;

	if (cgroup_kill(dir_of(orphan), orphan->key, err) < 0)
		return -1;
	return cgroup_remove(dir_of(orphan), orphan->key, err);
}

struct keys {
	char **list;
	size_t count;
};

/* A run has a cgroup in each hierarchy: one line is enough. */
static void add_key(void *arg, const char *key)
{
	struct keys *keys = arg;

	for (size_t i = 0; i < keys->count; i++)
		if (strcmp(keys->list[i], key) == 0)
			return;
	keys->list = mem_grow(keys->list, keys->count + 1, sizeof(*keys->list));
	keys->list[keys->count++] = mem_text(key);
}

static void look_at_cgroups(struct checkup *checkup)
{
	struct keys keys = {0};

	cgroup_each(checkup->dir, add_key, &keys);
	for (size_t i = 0; i < keys.count; i++) {
		struct orphan orphan = {.checkup = checkup, .key = keys.list[i]};
		owned(free) char *thing = mem_format("cgroup of run %.60s", keys.list[i]);

		report(&orphan, thing, is_nobodys_cgroup, remove_cgroup);
		free(keys.list[i]);
	}
	free(keys.list);
}

/* --- loop devices --- */

/* Is a file of our directory behind the device? By the name that it had when it was attached. */
static bool is_ours(const struct datadir *dir, const char *device)
{
	owned(free) char *path = mem_format("/sys/block/%s/loop/backing_file", device);
	owned(free) char *start = mem_format("%s/", dir->path);
	owned(str_done) struct str file = str_new(PATH_MAX_BYTES);
	struct err err = ERR_INIT; /* it is free */

	return file_read(AT_FDCWD, path, &file, &err) == 0 && str_starts(file.data, start);
}

static bool mounts(pid_t monitor, const char *device)
{
	owned(free) char *path = mem_format("/proc/%d/mountinfo", (int)monitor);
	owned(free) char *source = mem_format(" /dev/%s ", device);
	owned(str_done) struct str text = str_new(MOUNTS_MAX_BYTES);
	struct err err = ERR_INIT;

	return file_read(AT_FDCWD, path, &text, &err) == 0 && strstr(text.data, source);
}

/* A run that starts or ends holds devices where nobody sees them. */
static bool may_hold(const struct datadir *dir, const char *key, const char *device)
{
	struct record record;
	int fd;

	if (!read_open(dir, key, &record))
		return false;
	fd = container_open_process(record.conmon, record.conmon_start);
	if (fd < 0)
		return true;
	close(fd);
	return mounts(record.conmon, device);
}

static bool is_nobodys_device(void *arg)
{
	const struct orphan *orphan = arg;
	owned(free) char *path = datadir_path(dir_of(orphan), "run/bundles");
	owned(closedir) DIR *bundles = opendir(path);
	const struct dirent *entry;

	while (bundles && (entry = readdir(bundles)))
		if (entry->d_name[0] != '.' &&
		    may_hold(dir_of(orphan), entry->d_name, orphan->device))
			return false;
	return is_ours(dir_of(orphan), orphan->device);
}

static int detach(void *arg, struct err *err)
{
	const struct orphan *orphan = arg;
	owned(free) char *path = mem_format("/dev/%s", orphan->device);
	owned(close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, LOOP_CLR_FD) < 0)
		return err_sys(err, "detach it");
	return 0;
}

static void look_at_devices(struct checkup *checkup)
{
	owned(closedir) DIR *blocks = opendir("/sys/block");
	const struct dirent *entry;

	while (blocks && (entry = readdir(blocks))) {
		struct orphan orphan = {.checkup = checkup, .device = entry->d_name};
		owned(free) char *thing = mem_format("device %s", entry->d_name);

		if (str_starts(entry->d_name, "loop") && is_ours(checkup->dir, entry->d_name))
			report(&orphan, thing, is_nobodys_device, detach);
	}
}

int checkup_orphans(struct checkup *checkup, struct err *err)
{
	if (strays_each(checkup->dir, look_at_monitor, checkup, err) < 0)
		return -1;
	if (rundir_is_mounted(checkup->dir)) /* else `stop` takes all of them away */
		look_at_cgroups(checkup);
	look_at_devices(checkup);
	return 0;
}
