#include "runner/basesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "runner/beneath.h"
#include "runner/pool.h"
#include "runner/sources.h"

/* Raise where the recipe changes in a way that the list of packages does not show. */
#define RECIPE "1"

/* Where the making process sees cache/, in a mount namespace of its own. */
#define WORK "run/base"

enum {
	NAME_HEX = 12,
	STATUS_MAX_BYTES = 16 * 1024 * 1024,
	TEXT_MAX_BYTES = 1024 * 1024,
	LINE_MAX_BYTES = 4096,
};

struct basesystem {
	const struct runner_config *config;
	struct pool *pool; /* one thread, for it takes half a minute */
	void (*done)(void *arg, const struct err *err);
	void *arg;
	char name[BASESYSTEM_NAME_ROOM];
	bool making;
	char made[BASESYSTEM_NAME_ROOM]; /* of the thread, until `done` */
	struct err err;
	struct lock lock; /* guards child, ending */
	struct proc *child;
	bool ending;
};

static bool is_name(const char *name)
{
	return str_starts(name, "base-") && hex_is(name + 5, NAME_HEX);
}

/* What layers/base names, if that is there. */
static void read_current(const struct datadir *dir, char out[static BASESYSTEM_NAME_ROOM])
{
	char target[BASESYSTEM_NAME_ROOM] = "";
	owned(close) int layers = -1;
	owned(close) int fd = -1;
	owned(free) char *path = NULL;
	struct err err = ERR_INIT; /* whatever is wrong with it: it is made anew */
	struct stat st;

	out[0] = '\0';
	if (beneath_open_layers(dir, &layers, &err) < 0 ||
	    readlinkat(layers, "base", target, sizeof(target) - 1) < 0 || !is_name(target))
		return;
	path = mem_format("layers/%s", target);
	if (beneath_open(dir, path, O_RDONLY | O_DIRECTORY, &fd, &err) == 0 &&
	    fstat(fd, &st) == 0 && st.st_uid == 0)
		snprintf(out, BASESYSTEM_NAME_ROOM, "%s", target);
}

/* VERSION_CODENAME of os-release(5). */
static int read_codename(char out[static 64], struct err *err)
{
	owned(str_done) struct str text = str_new(TEXT_MAX_BYTES);
	const char *at;

	if (file_read(AT_FDCWD, "/etc/os-release", &text, err) < 0)
		return -1;
	at = strstr(text.data, "VERSION_CODENAME=");
	if (!at || sscanf(at, "VERSION_CODENAME=%*1[\"]%63[a-z]", out) == 1 ||
	    sscanf(at, "VERSION_CODENAME=%63[a-z]", out) == 1)
		return at ? 0 : err_set(err, ERR_SYSTEM, "os-release names no code name");
	return err_set(err, ERR_SYSTEM, "os-release names no code name");
}

/* How apt reaches its sources here (proxies, checks of dates): mmdebstrap does not read that
 * itself. */
static int write_apt_settings(const struct datadir *dir, struct err *err)
{
	static const char *const argv[] = {"apt-config", "dump", NULL};
	owned(str_done) struct str dump = str_new(TEXT_MAX_BYTES);
	owned(str_done) struct str kept = str_new(TEXT_MAX_BYTES);

	if (proc_run(argv, NULL, &dump, err) < 0)
		return -1;
	for (const char *line = dump.data; *line;) {
		const char *end = strchrnul(line, '\n');

		if (str_starts(line, "Acquire::") && !str_starts(line, "Acquire::Changelogs"))
			str_addf(&kept, "%.*s\n", (int)(end - line), line);
		line = *end ? end + 1 : end;
	}
	return file_write(dir->fd, WORK ".conf", kept.data, kept.length, 0644, err);
}

static int write_sources(const struct datadir *dir, const char *codename, bool *has_deb822,
			 bool *has_list, struct err *err)
{
	owned(str_done) struct str deb822 = str_new(TEXT_MAX_BYTES);
	owned(str_done) struct str list = str_new(TEXT_MAX_BYTES);

	if (sources_read(codename, &deb822, &list, err) < 0 ||
	    file_write(dir->fd, WORK ".sources", deb822.data, deb822.length, 0644, err) < 0)
		return -1;
	*has_deb822 = deb822.length > 0;
	*has_list = list.length > 0;
	return file_write(dir->fd, WORK ".list", list.data, list.length, 0644, err);
}

struct jail {
	int cache;    /* a detached mount of cache/ */
	char *target; /* DIR/run/base */
};

/*
 * In the child. DIR belongs to the hub's user, so a path through it may lead elsewhere at any time;
 * run/ is a mount point and stays. cache/ is mounted there for this process alone. The signal ends
 * the work with us; unshare(1) below takes all of its children along.
 */
static int enter_jail(void *arg, struct err *err)
{
	const struct jail *jail = arg;

	umask(022);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    move_mount(jail->cache, "", AT_FDCWD, jail->target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, "enter the work folder");
	return 0;
}

/* Let basesystem_free() find the child, unless it was there before. False: it was. */
static bool set_child(struct basesystem *base, struct proc *child)
{
	owned(unlock) struct lock *held = lock(&base->lock);

	base->child = child;
	return !base->ending;
}

/* Log line by line; the last one is what a failure is called by. */
static void log_output(int fd, struct str *last)
{
	FILE *stream = fdopen(fd, "r");
	char line[LINE_MAX_BYTES];

	if (!stream) {
		close(fd);
		return;
	}
	while (fgets(line, sizeof(line), stream)) {
		line[strcspn(line, "\r\n")] = '\0';
		log_info("runner.base", "line=%s", line);
		if (str_starts(line, "E: ")) {
			str_clear(last);
			str_add(last, line + 3);
		}
	}
	fclose(stream);
}

static int run_jailed(struct basesystem *base, const char *const *argv, struct err *err)
{
	struct jail jail = {.target = datadir_path(base->config->dir, WORK)};
	owned(free) char *target = jail.target;
	owned(close) int cache = -1;
	owned(close) int mount_fd = -1;
	owned(close) int writing = -1;
	owned(str_done) struct str last = str_new(LINE_MAX_BYTES);
	owned(proc_done) struct proc child = PROC_INIT;
	struct proc_spec spec = {.argv = argv, .prepare = enter_jail, .prepare_arg = &jail};
	int ends[2];
	int status;

	if (beneath_open_cache(base->config->dir, &cache, err) < 0)
		return -1;
	mount_fd = open_tree(cache, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount_fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "prepare the work folder");
	jail.cache = mount_fd;
	writing = ends[1];
	spec.fds = (const int[]){-1, writing, writing};
	spec.fd_count = 3;
	if (proc_start(&spec, &child, err) < 0) {
		close(ends[0]);
		return -1;
	}
	close(take_fd(&writing));
	if (!set_child(base, &child))
		proc_signal(&child, SIGKILL);
	log_output(ends[0], &last);
	set_child(base, NULL);
	if (proc_wait(&child, &status, err) < 0)
		return -1;
	if (status != 0)
		return err_set(err, ERR_SYSTEM, "mmdebstrap: %s",
			       last.length ? last.data : "it failed without a word");
	return 0;
}

/* mmdebstrap's command line; `argv` has room for it. */
static int run_mmdebstrap(struct basesystem *base, const char *codename, bool has_deb822,
			  bool has_list, struct err *err)
{
	const struct datadir *dir = base->config->dir;
	owned(free) char *target = datadir_path(dir, WORK "/base-new");
	owned(free) char *sources = datadir_path(dir, WORK ".sources");
	owned(free) char *list = datadir_path(dir, WORK ".list");
	owned(free) char *settings = mem_format("--aptopt=%s/" WORK ".conf", dir->path);
	const char *argv[] = {
		"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
		"mmdebstrap", "--mode=root", "--variant=minbase",
		"--include=python3,python3-venv,ca-certificates,git", settings,
		"--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-include=/usr/share/doc/*/copyright",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--customize-hook=chroot \"$1\" useradd -m -u 1000 -s /bin/bash user",
		/* The machine's own certificates: its sources or index may need them. */
		"--customize-hook=cp -L /etc/ssl/certs/ca-certificates.crt \"$1/etc/ssl/certs/\"",
		/* Empty, to be mounted over; mmdebstrap copies the machine's. */
		("--customize-hook=for f in resolv.conf hostname hosts; do rm -f \"$1/etc/$f\"; "
		 ": > \"$1/etc/$f\"; done"),
		/* A proxy's password is not for Spaces. */
		"--customize-hook=rm -f \"$1/etc/apt/apt.conf.d/99mmdebstrap\"", codename, target,
		has_deb822 ? sources : list, has_deb822 && has_list ? list : NULL, NULL};

	return run_jailed(base, argv, err);
}

/* From the list of packages: the same packages are the same base, and layers built on it stay good.
 */
static int derive_name(int cache, char out[static BASESYSTEM_NAME_ROOM], struct err *err)
{
	owned(str_done) struct str status = str_new(STATUS_MAX_BYTES);
	owned(hash_free) struct hash *hash = hash_new();
	char hex[HASH_HEX];

	if (file_read(cache, "base-new/var/lib/dpkg/status", &status, err) < 0)
		return err_in(err, "list of packages");
	hash_add_field(hash, RECIPE);
	hash_add_field(hash, status.data);
	hash_end(hash, hex);
	snprintf(out, BASESYSTEM_NAME_ROOM, "base-%.*s", NAME_HEX, hex);
	return 0;
}

static int put_into_place(struct basesystem *base, struct err *err)
{
	owned(close) int cache = -1;
	owned(close) int layers = -1;

	if (beneath_open_cache(base->config->dir, &cache, err) < 0 ||
	    beneath_open_layers(base->config->dir, &layers, err) < 0 ||
	    derive_name(cache, base->made, err) < 0)
		return -1;
	if (syncfs(cache) < 0)
		return err_sys(err, "sync the base system");
	if (renameat2(cache, "base-new", layers, base->made, RENAME_NOREPLACE) < 0) {
		if (errno != EEXIST)
			return err_sys(err, "put the base system into place");
		if (file_remove_tree(cache, "base-new", err) < 0)
			return -1;
	}
	unlinkat(layers, "base.new", 0);
	if (symlinkat(base->made, layers, "base.new") < 0 ||
	    renameat(layers, "base.new", layers, "base") < 0)
		return err_sys(err, "name the base system");
	return file_sync_dir(layers, ".", err);
}

static int make(struct basesystem *base, struct err *err)
{
	const struct datadir *dir = base->config->dir;
	owned(close) int cache = -1;
	int64_t since_ms = clock_mono_ms();
	char codename[64];
	bool has_deb822;
	bool has_list;

	if (beneath_open_cache(dir, &cache, err) < 0 ||
	    file_remove_tree(cache, "base-new", err) < 0)
		return -1;
	if (mkdirat(dir->fd, WORK, 0711) < 0 && errno != EEXIST)
		return err_sys(err, "make the work folder");
	if (read_codename(codename, err) < 0 || write_apt_settings(dir, err) < 0 ||
	    write_sources(dir, codename, &has_deb822, &has_list, err) < 0 ||
	    run_mmdebstrap(base, codename, has_deb822, has_list, err) < 0 ||
	    put_into_place(base, err) < 0)
		return err_in(err, "base system");
	log_info("runner.base", "name=%s took_ms=%lld", base->made,
		 (long long)(clock_mono_ms() - since_ms));
	return 0;
}

static void work(void *arg)
{
	struct basesystem *base = arg;

	base->err = ERR_INIT;
	base->made[0] = '\0';
	if (make(base, &base->err) < 0)
		log_error("runner.base", "error=%s", base->err.text);
}

static void finished(void *arg)
{
	struct basesystem *base = arg;
	bool failed = base->err.kind != ERR_NONE;

	base->making = false;
	if (!failed)
		memcpy(base->name, base->made, sizeof(base->name));
	base->done(base->arg, failed ? &base->err : NULL);
}

int basesystem_new(const struct runner_config *config, struct loop *loop,
		   void (*done)(void *arg, const struct err *err), void *arg,
		   struct basesystem **out, struct err *err)
{
	owned(basesystem_free) struct basesystem *base = mem_new(struct basesystem);

	base->config = config;
	base->done = done;
	base->arg = arg;
	base->lock = (struct lock)LOCK_INIT;
	read_current(config->dir, base->name);
	if (pool_new(loop, 1, &base->pool, err) < 0)
		return -1;
	*out = take(base);
	return 0;
}

static void end_child(struct basesystem *base)
{
	owned(unlock) struct lock *held = lock(&base->lock);

	base->ending = true;
	if (base->child)
		proc_signal(base->child, SIGKILL);
}

void basesystem_free(struct basesystem *base)
{
	if (!base)
		return;
	end_child(base);
	pool_free(base->pool);
	free(base);
}

const char *basesystem_name(struct basesystem *base)
{
	return base->name[0] ? base->name : NULL;
}

void basesystem_make(struct basesystem *base)
{
	if (base->making)
		return;
	base->making = true;
	pool_add(base->pool, &(struct pool_job){.work = work, .done = finished, .arg = base});
}
