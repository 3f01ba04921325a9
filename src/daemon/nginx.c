#include "daemon/nginx.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/listen.h"
#include "daemon/rights.h"

#define NGINX_PROGRAM "/usr/sbin/nginx"

enum {
	STATE_MAX = 256,
	STOP_WAIT_MS = 5000,
	GROUP_WAIT_MS = 1000, /* also passes where an ended worker is not reaped by its parent */
	GROUP_LOOK_NS = 2 * 1000 * 1000,
};

/* What run/nginx.state says. */
struct nginx_state {
	pid_t pid;
	uint64_t started;
	char fingerprint[HASH_HEX];
};

/* 1 found a master that lives, 0 none. */
static int state_read(const struct datadir *dir, struct nginx_state *out, struct err *err)
{
	owned(str_done) struct str text = str_new(STATE_MAX);
	int pid;

	*out = (struct nginx_state){0};
	if (file_read(dir->fd, "run/nginx.state", &text, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (sscanf(text.data, "%d %" SCNu64 " %64[0-9a-f]", &pid, &out->started,
		   out->fingerprint) != 3)
		return 0;
	out->pid = pid;
	return proc_start_time(pid) == out->started;
}

/* A descriptor that tells the end of a process which may be no child of ours. */
static int pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* An ended process keeps id and start time until its parent has asked for its status. */
static bool has_ended(int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	return poll(&polled, 1, 0) > 0;
}

int nginx_adopt(const struct nginx_spec *spec, struct proc *out, struct err *err)
{
	struct nginx_state state;
	int found = state_read(spec->dir, &state, err);
	int fd;

	if (found <= 0 || strcmp(state.fingerprint, spec->fingerprint) != 0)
		return found < 0 ? -1 : 0;
	fd = pidfd(state.pid);
	if (fd < 0 || has_ended(fd)) {
		own_close(&fd);
		return 0;
	}
	*out = (struct proc){.pid = state.pid, .pidfd = fd};
	log_info("nginx.adopted", "pid=%d", (int)state.pid);
	return 1;
}

/*
 * In the child, so that no moment exists in which it runs and nobody knows of it. By path: the
 * child's descriptors are numbered anew already.
 */
static int write_state(void *arg, struct err *err)
{
	const struct nginx_spec *spec = arg;
	owned(free) char *path = datadir_path(spec->dir, "run/nginx.state");
	owned(free) char *text = mem_format("%d %" PRIu64 " %s\n", (int)getpid(),
					    proc_start_time(getpid()), spec->fingerprint);

	return file_write(AT_FDCWD, path, text, strlen(text), 0600, err);
}

static int become_nginx(void *arg, struct err *err)
{
	return rights_bound(RIGHTS_DOOR, err) < 0 ? -1 : write_state(arg, err);
}

static int launch(const struct nginx_spec *spec, const int *fds, size_t count, struct proc *out,
		  struct err *err)
{
	owned(free) char *prefix = datadir_path(spec->dir, "run/nginx/");
	owned(free) char *log = datadir_path(spec->dir, "run/nginx.log");
	owned(str_done) struct str inherited = str_new(STATE_MAX);
	const char *const argv[] = {NGINX_PROGRAM, "-c", spec->conf, "-p", prefix, "-e", log, NULL};
	const char *env[] = {NULL, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};

	/* nginx finds the sockets of its `listen` lines among these (front.md, "As a child"). */
	str_add(&inherited, "NGINX=");
	for (size_t i = NGINX_FIRST_SOCKET; i < count; i++)
		str_addf(&inherited, "%zu;", i);
	if (str_check(&inherited, "the list of sockets", err) < 0)
		return -1;
	env[0] = inherited.data;
	return proc_start(&(struct proc_spec){.argv = argv,
					      .env = env,
					      .fds = fds,
					      .fd_count = count,
					      .prepare = become_nginx,
					      .prepare_arg = (void *)spec,
					      .new_group = true},
			  out, err);
}

/* Their sockets are free only when they are gone, which is a moment after the signal. */
static void kill_group(pid_t group, int64_t wait_ms)
{
	int64_t until_ms = clock_mono_ms() + wait_ms;

	while (kill(-group, SIGKILL) == 0 && clock_mono_ms() < until_ms)
		nanosleep(&(struct timespec){.tv_nsec = GROUP_LOOK_NS}, NULL);
}

static void end(const struct datadir *dir, int64_t group_wait_ms)
{
	struct err err = ERR_INIT; /* an unreadable state file means: nothing that we could end */
	struct nginx_state state;
	struct pollfd ended = {.events = POLLIN};
	int alive = state_read(dir, &state, &err);

	if (!state.pid)
		return;
	if (alive > 0) {
		ended.fd = pidfd(state.pid);
		kill(state.pid, SIGTERM);
		if (ended.fd >= 0) {
			poll(&ended, 1, STOP_WAIT_MS);
			close(ended.fd);
		}
	}
	/*
	 * A master that was killed leaves workers behind, in its group. The group's number can't be
	 * another's while one of them lives; check that the master's number was not given anew.
	 */
	if (alive > 0 || !proc_start_time(state.pid))
		kill_group(state.pid, group_wait_ms);
	unlinkat(dir->fd, "run/nginx.state", 0);
}

int nginx_start(const struct nginx_spec *spec, struct proc *out, struct err *err)
{
	int fds[NGINX_FIRST_SOCKET + LISTEN_MAX] = {-1, STDERR_FILENO, STDERR_FILENO};

	assert(spec->socket_count <= LISTEN_MAX);
	memcpy(fds + NGINX_FIRST_SOCKET, spec->sockets, spec->socket_count * sizeof(*fds));
	end(spec->dir, 0);
	if (launch(spec, fds, NGINX_FIRST_SOCKET + spec->socket_count, out, err) < 0)
		return -1;
	log_info("nginx.started", "pid=%d", (int)out->pid);
	return 0;
}

void nginx_stop(const struct datadir *dir)
{
	end(dir, GROUP_WAIT_MS);
}
