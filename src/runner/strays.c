#include "runner/strays.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum { CMDLINE_MAX_BYTES = 64 * 1024, END_TIMEOUT_MS = 3000 };

/* What tells a stray by its command line: one of the folders, and the key if there is one. */
struct mark {
	char *exit_dir;  /* of conmon */
	char *runc_root; /* of runc; conmon has it too */
	const char *key;
};

static void mark_done(struct mark *mark)
{
	free(mark->exit_dir);
	free(mark->runc_root);
}

static void own_mark_done(struct mark *held)
{
	mark_done(held);
}

static struct mark mark_of(const struct datadir *dir, const char *key)
{
	return (struct mark){
		.exit_dir = datadir_path(dir, "run/exit"),
		.runc_root = datadir_path(dir, "run/runc"),
		.key = key,
	};
}

/* Is one of the NUL-separated arguments this one? */
static bool has_argument(const struct str *cmdline, const char *wanted)
{
	const char *end = cmdline->data + cmdline->length;

	for (const char *at = cmdline->data; at < end; at += strlen(at) + 1)
		if (strcmp(at, wanted) == 0)
			return true;
	return false;
}

static bool is_program(const struct str *cmdline, const char *name)
{
	const char *slash = strrchr(cmdline->data, '/');

	return strcmp(slash ? slash + 1 : cmdline->data, name) == 0;
}

static bool read_arguments(pid_t pid, struct str *out)
{
	owned(free) char *path = mem_format("/proc/%d/cmdline", (int)pid);
	struct err err = ERR_INIT; /* it has ended, or is none of ours: too long a line */

	return file_read(AT_FDCWD, path, out, &err) == 0 && out->length > 0;
}

static bool is_stray(pid_t pid, const struct mark *mark)
{
	owned(str_done) struct str cmdline = str_new(CMDLINE_MAX_BYTES);

	if (!read_arguments(pid, &cmdline) || (mark->key && !has_argument(&cmdline, mark->key)))
		return false;
	return (is_program(&cmdline, "conmon") && has_argument(&cmdline, mark->exit_dir)) ||
	       (is_program(&cmdline, "runc") && has_argument(&cmdline, mark->runc_root));
}

static bool kill_stray(pid_t pid, const struct mark *mark)
{
	owned(close) int fd = pidfd_open(pid, 0);
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	/* Asked again: the descriptor is of whoever has this id now. */
	if (fd < 0 || !is_stray(pid, mark))
		return false;
	pidfd_send_signal(fd, SIGKILL, NULL, 0);
	poll(&polled, 1, END_TIMEOUT_MS);
	return true;
}

/* One look at all processes; how many were killed, or -1. */
static int sweep(const struct mark *mark, struct err *err)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	if (!proc)
		return err_sys(err, "list the processes");
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 1 && is_stray(pid, mark) && kill_stray(pid, mark))
			count++;
	}
	closedir(proc);
	return count;
}

int strays_kill(const struct datadir *dir, const char *key, struct err *err)
{
	owned(mark_done) struct mark mark = mark_of(dir, key);
	int64_t until_ms = clock_mono_ms() + END_TIMEOUT_MS;
	int count;

	/* Again after each find: what was killed may have started another a moment before. */
	while ((count = sweep(&mark, err)) > 0) {
		log_info("runner.strays", "run=%s killed=%d", key ? key : "all", count);
		if (clock_mono_ms() > until_ms)
			return err_set(err, ERR_SYSTEM, "monitors of %s do not end",
				       key ? key : "the instance");
	}
	return count;
}

/* What follows "-n" in conmon's arguments, which are NUL-separated; NULL for none. */
static const char *key_of(const struct str *cmdline)
{
	const char *end = cmdline->data + cmdline->length;
	bool is_next = false;

	for (const char *at = cmdline->data; at < end; at += strlen(at) + 1) {
		if (is_next)
			return at;
		is_next = strcmp(at, "-n") == 0;
	}
	return NULL;
}

int strays_each(const struct datadir *dir, void (*each)(void *arg, pid_t pid, const char *key),
		void *arg, struct err *err)
{
	owned(mark_done) struct mark mark = mark_of(dir, NULL);
	owned(closedir) DIR *proc = opendir("/proc");
	const struct dirent *entry;

	if (!proc)
		return err_sys(err, "list the processes");
	while ((entry = readdir(proc))) {
		owned(str_done) struct str cmdline = str_new(CMDLINE_MAX_BYTES);
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		const char *key = NULL;

		if (pid > 1 && is_stray(pid, &mark) && read_arguments(pid, &cmdline) &&
		    is_program(&cmdline, "conmon"))
			key = key_of(&cmdline);
		if (key)
			each(arg, pid, key);
	}
	return 0;
}

bool strays_is(const struct datadir *dir, pid_t pid, const char *key)
{
	owned(mark_done) struct mark mark = mark_of(dir, key);

	return is_stray(pid, &mark);
}

void strays_end(const struct datadir *dir, pid_t pid, const char *key)
{
	owned(mark_done) struct mark mark = mark_of(dir, key);

	if (is_stray(pid, &mark) && kill_stray(pid, &mark))
		log_info("runner.strays", "run=%s killed=%d", key, (int)pid);
}
