#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <poll.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/beneath.h"
#include "runner/cgroup.h"
#include "runner/check.h"
#include "runner/container.h"
#include "runner/network.h"
#include "runner/record.h"
#include "runner/resolver.h"
#include "runner/runner.h"

/*
 * The end of an instance. It goes by what the machine shows, not by what we remember: the cgroup
 * tells which processes are Spaces, the command line which conmon is ours, names tell the rest.
 */
enum { CMDLINE_MAX_BYTES = 64 * 1024, END_TIMEOUT_MS = 3000 };

/* Is one of the NUL-separated arguments this one? */
static bool has_argument(const struct str *cmdline, const char *wanted)
{
	const char *end = cmdline->data + cmdline->length;

	for (const char *at = cmdline->data; at < end; at += strlen(at) + 1)
		if (strcmp(at, wanted) == 0)
			return true;
	return false;
}

static bool is_our_conmon(pid_t pid, const char *exit_dir)
{
	owned(free) char *path = mem_format("/proc/%d/cmdline", (int)pid);
	owned(str_done) struct str cmdline = str_new(CMDLINE_MAX_BYTES);
	struct err err = ERR_INIT; /* it has ended, or is none of ours: too long a line */

	return file_read(AT_FDCWD, path, &cmdline, &err) == 0 && cmdline.length > 0 &&
	       strcmp(cmdline.data, "conmon") == 0 && has_argument(&cmdline, "--exit-dir") &&
	       has_argument(&cmdline, exit_dir);
}

static void kill_conmon(pid_t pid, const char *exit_dir)
{
	owned(close) int fd = pidfd_open(pid, 0);
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	/* Asked again: the descriptor is of whoever has this id now. */
	if (fd < 0 || !is_our_conmon(pid, exit_dir))
		return;
	pidfd_send_signal(fd, SIGKILL, NULL, 0);
	poll(&polled, 1, END_TIMEOUT_MS);
}

/* Monitors whose containers are dead end by themselves; those that hang, or began just now, do not.
 */
static int kill_conmons(const struct datadir *dir, struct err *err)
{
	owned(free) char *exit_dir = datadir_path(dir, "run/exit");
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return err_sys(err, "list the processes");
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 1 && is_our_conmon(pid, exit_dir))
			kill_conmon(pid, exit_dir);
	}
	closedir(proc);
	return 0;
}

/* Outputs of builds that were cut off. */
static int drop_outputs(const struct datadir *dir, struct err *err)
{
	owned(close) int cache = -1;
	DIR *scopes;
	struct dirent *entry;
	int result;

	if (beneath_open_cache(dir, &cache, err) < 0)
		return -1;
	result = file_remove_tree(cache, "base-new", err);
	scopes = fdopendir(fcntl(cache, F_DUPFD_CLOEXEC, 0));
	while (result == 0 && scopes && (entry = readdir(scopes))) {
		owned(close) int fd = -1;
		DIR *scope;
		struct dirent *output;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(cache, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		scope = fd < 0 ? NULL : fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
		while (result == 0 && scope && (output = readdir(scope)))
			if (str_starts(output->d_name, "out-"))
				result = file_remove_tree(fd, output->d_name, err);
		if (scope)
			closedir(scope);
	}
	if (scopes)
		closedir(scopes);
	return result;
}

static int remove_state(const struct datadir *dir, struct err *err)
{
	static const char *const names[] = {"run/runc",      "run/exit",        "run/sock",
					    "run/slot",      "run/base",        "run/base.conf",
					    "run/base.list", "run/base.sources"};
	owned(free) char *path = datadir_path(dir, "run/bundles");
	DIR *bundles = opendir(path);
	struct dirent *entry;
	int result = 0;

	while (result == 0 && bundles && (entry = readdir(bundles)))
		if (entry->d_name[0] != '.')
			result = file_remove_tree(dirfd(bundles), entry->d_name, err);
	if (bundles)
		closedir(bundles);
	for (size_t i = 0; result == 0 && i < sizeof(names) / sizeof(names[0]); i++)
		result = file_remove_tree(dir->fd, names[i], err);
	return result;
}

int runner_stop_all(const struct runner_config *config, struct err *err)
{
	const struct datadir *dir = config->dir;

	/* Twice: a conmon that was just starting may have made a container behind our back. */
	for (int i = 0; i < 2; i++)
		if (cgroup_kill(dir, NULL, err) < 0 || kill_conmons(dir, err) < 0)
			return err_in(err, "stop");
	resolver_kill(dir);
	if (network_down(dir, err) < 0 || cgroup_remove(dir, NULL, err) < 0 ||
	    drop_outputs(dir, err) < 0 || remove_state(dir, err) < 0)
		return err_in(err, "stop");
	log_info("runner.stopped", "instance=%s", dir->instance);
	return 0;
}
