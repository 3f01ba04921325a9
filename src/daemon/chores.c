#include "daemon/chores.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "daemon/exe.h"

#define LOG        "run/nginx.log"
#define LOG_BEFORE "run/nginx.log.1"
#define LAST_FILE  "cache/gc"

enum {
	LOOK_MS = 10 * 1000,
	LOG_MAX_BYTES = 16 << 20, /* it lies in memory; with the one before it twice that */
	SHORT_PAUSE_S = 60 * 60,  /* a disk that others have filled is no better after each gc */
};

struct chores {
	struct chores_config config;
	struct loop *loop;
	struct loop_timer *timer;
	struct proc gc;
	struct loop_fd *watch; /* of gc; NULL: none runs */
};

static void move_log(struct chores *chores)
{
	int dir = chores->config.dir->fd;
	struct stat log;

	if (fstatat(dir, LOG, &log, AT_SYMLINK_NOFOLLOW) < 0 || log.st_size <= LOG_MAX_BYTES)
		return;
	if (renameat(dir, LOG, dir, LOG_BEFORE) < 0)
		log_warn("chores.log", "error=\"%s\"", strerror(errno));
	else
		chores->config.log_moved(chores->config.arg);
}

static bool is_short(const struct chores *chores)
{
	uint64_t percent = (uint64_t)chores->config.settings->gc_free_percent;
	struct statvfs disk;

	if (fstatvfs(chores->config.dir->fd, &disk) < 0)
		return false;
	return (uint64_t)disk.f_bavail * 100 < (uint64_t)disk.f_blocks * percent ||
	       (uint64_t)disk.f_favail * 100 < (uint64_t)disk.f_files * percent;
}

/* Seconds since the last gc began; a first start has just had one. */
static int64_t since_s(const struct chores *chores)
{
	int dir = chores->config.dir->fd;
	struct stat last;
	struct err err = ERR_INIT;

	if (fstatat(dir, LAST_FILE, &last, AT_SYMLINK_NOFOLLOW) == 0)
		return clock_wall_ms() / 1000 - last.st_mtim.tv_sec;
	if (file_write(dir, LAST_FILE, "", 0, 0600, &err) < 0)
		log_warn("chores.gc", "error=\"%s\"", err.text);
	return 0;
}

static void gc_ended(void *arg, uint32_t events)
{
	struct chores *chores = arg;
	struct err err = ERR_INIT;
	int status = -1;

	loop_fd_remove(take(chores->watch));
	if (proc_wait(&chores->gc, &status, &err) < 0 || status != 0)
		log_warn("chores.gc", "status=%d", status);
	proc_done(&chores->gc);
}

static int start_gc(struct chores *chores, bool keeps_nothing, struct err *err)
{
	const char *const *options = chores->config.options;
	owned(free) char *self = NULL;
	owned(free) const char **argv = NULL;
	const int fds[] = {-1, -1, STDERR_FILENO}; /* what came free is in the log as well */
	size_t count = 0;

	while (options[count])
		count++;
	if (exe_self(&self, err) < 0 ||
	    file_write(chores->config.dir->fd, LAST_FILE, "", 0, 0600, err) < 0)
		return -1;
	argv = mem_array(count + 5, sizeof(*argv));
	argv[0] = self;
	memcpy(argv + 1, options, count * sizeof(*argv));
	if (keeps_nothing) {
		argv[++count] = "--gc-keep";
		argv[++count] = "0";
	}
	argv[++count] = "gc";
	if (proc_start(
		    &(struct proc_spec){.argv = argv, .fds = fds, .fd_count = 3, .new_group = true},
		    &chores->gc, err) < 0)
		return -1;
	return loop_fd_add(chores->loop, chores->gc.pidfd, EPOLLIN, gc_ended, chores,
			   &chores->watch, err);
}

static void consider_gc(struct chores *chores)
{
	int64_t every_s = chores->config.settings->gc_every_h * 3600;
	int64_t passed_s = since_s(chores);
	/* A clock that was set back must not put it off. */
	bool is_due = every_s && (passed_s >= every_s || passed_s < 0);
	bool is_needed = (passed_s >= SHORT_PAUSE_S || passed_s < 0) && is_short(chores);
	struct err err = ERR_INIT;

	if (chores->watch || !(is_due || is_needed))
		return;
	if (start_gc(chores, is_needed, &err) < 0) {
		proc_done(&chores->gc);
		log_error("chores.gc", "error=\"%s\"", err.text);
		return;
	}
	log_info("chores.gc", "pid=%d short=%d", (int)chores->gc.pid, is_needed);
}

static void look(void *arg)
{
	struct chores *chores = arg;

	move_log(chores);
	consider_gc(chores);
	loop_timer_set(chores->timer, LOOK_MS);
}

struct chores *chores_new(struct loop *loop, const struct chores_config *config)
{
	struct chores *chores = mem_new(struct chores);

	chores->config = *config;
	chores->loop = loop;
	chores->gc = PROC_INIT;
	chores->timer = loop_timer_new(loop, look, chores);
	loop_timer_set(chores->timer, LOOK_MS);
	return chores;
}

void chores_free(struct chores *chores)
{
	if (!chores)
		return;
	loop_fd_remove(chores->watch);
	proc_done(&chores->gc);
	loop_timer_free(chores->timer);
	free(chores);
}
