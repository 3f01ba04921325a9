#include "daemon/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/proc.h"
#include "daemon/chores.h"
#include "daemon/door.h"
#include "daemon/exe.h"
#include "daemon/rights.h"
#include "daemon/role.h"
#include "daemon/rundir.h"
#include "daemon/teardown.h"

enum {
	BACKOFF_FIRST_MS = 100,
	BACKOFF_LAST_MS = 1000,      /* somebody waits for it */
	STEADY_MS = 1000,            /* a child that lived so long starts again without delay */
	END_GRACE_MS = 12000,        /* hub and runner get so long to end by themselves */
	PAIR_BUFFER_BYTES = 4 << 20, /* the largest message between hub and runner is 200 KiB */
	STATE_MAX = 128,
	FORBIDDEN_CALL = 128 + SIGSYS, /* see callfilter.h */
};

/* A child process that is started again when it dies. */
struct ward {
	struct keeper *keeper;
	const char *name;
	int (*start)(struct keeper *keeper, struct ward *ward, struct err *err);
	struct proc proc;
	struct loop_fd *watch;
	struct loop_timer *again;
	int64_t started_ms;
	int64_t backoff_ms;
	int lifeline; /* writing end; -1 for nginx, which may outlive us */
};

enum { WARD_NGINX = ROLE_COUNT, WARD_COUNT };

struct keeper {
	const struct keeper_config *config;
	struct loop *loop;
	struct door *door;
	char *notify_path; /* NULL: nobody wants to be told */
	int pair[2];       /* [ROLE_HUB], [ROLE_RUNNER]; both ends stay open here */
	int sockets[3];    /* api, ask, stream: they queue visits while the hub restarts */
	int ready[2];
	int signal_fd;
	struct ward wards[WARD_COUNT];
	struct loop_timer *late;
	struct chores *chores;
	bool ending;
	bool end_all;
};

int keeper_lock(const char *path, int *out, struct err *err)
{
	/* The directory itself: files in it are replaced now and then, and their locks with them.
	 */
	owned(close) int fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open the data directory");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, ERR_BUSY, "espaced already runs on %s", path);
	*out = take_fd(&fd);
	return 0;
}

int keeper_find(const struct datadir *dir, pid_t *out, struct err *err)
{
	owned(str_done) struct str text = str_new(STATE_MAX);
	uint64_t started;
	int pid;

	*out = 0;
	if (file_read(dir->fd, "run/keeper.state", &text, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (sscanf(text.data, "%d %" SCNu64, &pid, &started) == 2 &&
	    proc_start_time(pid) == started)
		*out = pid;
	return 0;
}

static int write_state(const struct keeper *keeper, struct err *err)
{
	owned(free) char *text =
		mem_format("%d %" PRIu64 "\n", (int)getpid(), proc_start_time(getpid()));

	return file_write(keeper->config->dir->fd, "run/keeper.state", text, strlen(text), 0600,
			  err);
}

static void ward_ended(void *arg, uint32_t events);

static int ward_start(struct ward *ward, struct err *err)
{
	struct keeper *keeper = ward->keeper;

	ward->started_ms = clock_mono_ms();
	if (ward->start(keeper, ward, err) < 0)
		return -1;
	return loop_fd_add(keeper->loop, ward->proc.pidfd, EPOLLIN, ward_ended, ward, &ward->watch,
			   err);
}

/* How long to wait before the next start; each time longer, unless the last one has lived. */
static int64_t next_backoff(struct ward *ward, bool steady)
{
	ward->backoff_ms = steady ? BACKOFF_FIRST_MS : ward->backoff_ms * 2;
	if (ward->backoff_ms > BACKOFF_LAST_MS)
		ward->backoff_ms = BACKOFF_LAST_MS;
	return ward->backoff_ms;
}

static void ward_try(void *arg)
{
	struct ward *ward = arg;
	struct err err = ERR_INIT;

	if (ward->keeper->ending || ward_start(ward, &err) == 0)
		return;
	log_error("keeper.start", "process=%s error=\"%s\"", ward->name, err.text);
	loop_timer_set(ward->again, next_backoff(ward, false));
}

/* The ends of both halves of a lifeline are enough to end hub and runner; wait for the last one. */
static void quit_when_alone(struct keeper *keeper)
{
	if (keeper->ending && !keeper->wards[ROLE_HUB].watch && !keeper->wards[ROLE_RUNNER].watch)
		loop_quit(keeper->loop);
}

static void ward_ended(void *arg, uint32_t events)
{
	struct ward *ward = arg;
	struct err err = ERR_INIT; /* nginx that we took over is no child: its status is unknown */
	bool steady = clock_mono_ms() - ward->started_ms >= STEADY_MS;
	int status = -1;

	loop_fd_remove(take(ward->watch));
	if (proc_wait(&ward->proc, &status, &err) < 0)
		log_debug("keeper.status", "process=%s error=\"%s\"", ward->name, err.text);
	proc_done(&ward->proc);
	if (ward->lifeline >= 0)
		close(take_fd(&ward->lifeline));
	if (ward->keeper->ending) {
		quit_when_alone(ward->keeper);
		return;
	}
	loop_timer_set(ward->again, next_backoff(ward, steady));
	log_warn("keeper.died", "process=%s status=%d again_ms=%lld", ward->name, status,
		 (long long)ward->backoff_ms);
	if (status == FORBIDDEN_CALL)
		log_error("keeper.forbidden", "process=%s made=\"a system call that no hub makes\"",
			  ward->name);
}

static int drop_rights(void *arg, struct err *err)
{
	return role_drop_rights(arg, err);
}

/* Start hub or runner: `espaced @ROLE` with our own options. */
static int start_role(struct keeper *keeper, struct ward *ward, struct err *err)
{
	enum role role = (enum role)(ward - keeper->wards);
	const struct keeper_config *config = keeper->config;
	owned(free) char *self = NULL;
	owned(free) char *name = mem_format("@%s", role_name(role));
	owned(free) const char **argv = NULL;
	int lifeline[2];
	size_t count = 0;
	int fds[ROLE_FD_COUNT] = {-1, STDERR_FILENO, STDERR_FILENO};
	int result;

	if (exe_self(&self, err) < 0)
		return -1;
	while (config->options[count])
		count++;
	argv = mem_array(count + 3, sizeof(*argv));
	argv[0] = self;
	memcpy(argv + 1, config->options, count * sizeof(*argv));
	argv[1 + count] = name;
	if (pipe2(lifeline, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	fds[ROLE_FD_LIFELINE] = lifeline[0];
	fds[ROLE_FD_RUNNER] = keeper->pair[role];
	for (int i = 0; i < 3; i++)
		fds[ROLE_FD_API + i] = keeper->sockets[i];
	fds[ROLE_FD_READY] = keeper->ready[1];
	result = proc_start(
		&(struct proc_spec){.argv = argv,
				    .fds = fds,
				    .fd_count = role == ROLE_HUB ? ROLE_FD_COUNT : ROLE_FD_API,
				    .prepare = role == ROLE_HUB ? drop_rights : NULL,
				    .prepare_arg = (void *)config->dir,
				    .new_group = true},
		&ward->proc, err);
	close(lifeline[0]);
	if (result < 0) {
		close(lifeline[1]);
		return -1;
	}
	ward->lifeline = lifeline[1];
	log_info("keeper.started", "process=%s pid=%d", ward->name, (int)ward->proc.pid);
	return 0;
}

static int start_nginx(struct keeper *keeper, struct ward *ward, struct err *err)
{
	return door_start(keeper->door, &ward->proc, err);
}

/*
 * Who is to be told of our state, for free(). It is ours alone: runc takes the same variable for a
 * wish to pass on what the container says, and then starts none.
 */
static char *take_notify_path(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	char *copy = path ? mem_text(path) : NULL;

	unsetenv("NOTIFY_SOCKET");
	return copy;
}

/* sd_notify(3): one datagram to the socket that systemd names; without it nothing. */
static void notify(const struct keeper *keeper, const char *state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = keeper->notify_path;
	size_t length = path ? strlen(path) : 0;
	owned(close) int fd = -1;

	if (length < 2 || length >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		log_warn("keeper.notify", "error=\"%s\"", strerror(errno));
}

static void hub_ready(void *arg, uint32_t events)
{
	struct keeper *keeper = arg;
	char byte;

	if (read(keeper->ready[0], &byte, 1) != 1)
		return;
	printf("espaced: ready on %s\n", door_url(keeper->door));
	fflush(stdout);
	notify(keeper, "READY=1");
}

static void kill_late(void *arg)
{
	struct keeper *keeper = arg;

	for (int i = 0; i < ROLE_COUNT; i++)
		if (keeper->wards[i].watch)
			proc_signal(&keeper->wards[i].proc, SIGKILL);
}

static void end(struct keeper *keeper, bool all)
{
	keeper->end_all |= all;
	if (keeper->ending)
		return;
	keeper->ending = true;
	notify(keeper, "STOPPING=1");
	for (int i = 0; i < WARD_COUNT; i++)
		loop_timer_clear(keeper->wards[i].again);
	for (int i = 0; i < ROLE_COUNT; i++)
		if (keeper->wards[i].lifeline >= 0)
			close(take_fd(&keeper->wards[i].lifeline));
	loop_timer_set(keeper->late, END_GRACE_MS);
	quit_when_alone(keeper);
}

static void signalled(void *arg, uint32_t events)
{
	struct keeper *keeper = arg;
	struct signalfd_siginfo info;

	if (read(keeper->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	log_info("keeper.signal", "signal=%s from=%u", info.ssi_signo == SIGINT ? "INT" : "TERM",
		 info.ssi_pid);
	end(keeper, info.ssi_signo == SIGINT);
}

static int watch_signals(struct keeper *keeper, struct err *err)
{
	struct loop_fd *watch;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(err, "block signals");
	keeper->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (keeper->signal_fd < 0)
		return err_sys(err, "watch signals");
	return loop_fd_add(keeper->loop, keeper->signal_fd, EPOLLIN, signalled, keeper, &watch,
			   err);
}

static int open_sockets(struct keeper *keeper, struct err *err)
{
	static const char *const names[] = {"api.sock", "ask.sock", "stream.sock"};
	int size = PAIR_BUFFER_BYTES;

	for (int i = 0; i < 3; i++)
		if (rundir_listen(keeper->config->dir, names[i], &keeper->sockets[i], err) < 0)
			return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper->pair) < 0 ||
	    pipe2(keeper->ready, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, "make the sockets between hub and runner");
	for (int i = 0; i < 2; i++)
		if (setsockopt(keeper->pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) <
		    0)
			return err_sys(err, "set the buffer between hub and runner");
	return 0;
}

static int start_all(struct keeper *keeper, struct err *err)
{
	static const int order[WARD_COUNT] = {WARD_NGINX, ROLE_RUNNER, ROLE_HUB};
	struct loop_fd *watch;

	if (loop_fd_add(keeper->loop, keeper->ready[0], EPOLLIN, hub_ready, keeper, &watch, err) <
	    0)
		return -1;
	for (int i = 0; i < WARD_COUNT; i++)
		if (ward_start(&keeper->wards[order[i]], err) < 0)
			return -1;
	return 0;
}

static void init_wards(struct keeper *keeper)
{
	for (int i = 0; i < WARD_COUNT; i++) {
		struct ward *ward = &keeper->wards[i];

		*ward = (struct ward){
			.keeper = keeper,
			.name = i == WARD_NGINX ? "nginx" : role_name((enum role)i),
			.start = i == WARD_NGINX ? start_nginx : start_role,
			.proc = PROC_INIT,
			.lifeline = -1,
			.backoff_ms = BACKOFF_FIRST_MS,
			.again = loop_timer_new(keeper->loop, ward_try, ward),
		};
	}
}

/* nginx is left running: its watch goes, the process stays. */
static void done_wards(struct keeper *keeper)
{
	for (int i = 0; i < WARD_COUNT; i++) {
		struct ward *ward = &keeper->wards[i];

		loop_fd_remove(ward->watch);
		loop_timer_free(ward->again);
		if (i == WARD_NGINX && ward->proc.pidfd >= 0)
			close(ward->proc.pidfd);
		else
			proc_done(&ward->proc);
		if (ward->lifeline >= 0)
			close(ward->lifeline);
	}
}

static void reopen_log(void *arg)
{
	struct keeper *keeper = arg;

	proc_signal(&keeper->wards[WARD_NGINX].proc, SIGUSR1);
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void keeper_done(struct keeper *keeper)
{
	chores_free(keeper->chores);
	done_wards(keeper);
	loop_timer_free(keeper->late);
	door_free(keeper->door);
	close_all(&keeper->signal_fd, 1);
	close_all(keeper->pair, 2);
	close_all(keeper->sockets, 3);
	close_all(keeper->ready, 2);
	free(keeper->notify_path);
}

static void own_keeper_done(struct keeper *held)
{
	keeper_done(held);
}

/* Start everything and run until a signal; *end_all says which one. */
static int keep(const struct keeper_config *config, bool *end_all, struct err *err)
{
	owned(loop_free) struct loop *loop = NULL;

	if (loop_new(&loop, err) < 0)
		return -1;
	owned(keeper_done) struct keeper keeper = {.config = config,
						   .loop = loop,
						   .notify_path = take_notify_path(),
						   .pair = {-1, -1},
						   .sockets = {-1, -1, -1},
						   .ready = {-1, -1},
						   .signal_fd = -1};
	init_wards(&keeper);
	keeper.late = loop_timer_new(loop, kill_late, &keeper);
	keeper.chores = chores_new(loop, &(struct chores_config){.dir = config->dir,
								 .settings = config->settings,
								 .options = config->options,
								 .log_moved = reopen_log,
								 .arg = &keeper});
	if (rundir_mount(config->dir, err) < 0 || write_state(&keeper, err) < 0 ||
	    watch_signals(&keeper, err) < 0 || open_sockets(&keeper, err) < 0 ||
	    door_new(config->dir, config->settings, &keeper.door, err) < 0 ||
	    start_all(&keeper, err) < 0 || loop_run(loop, err) < 0)
		return -1;
	*end_all = keeper.end_all;
	return 0;
}

int keeper_run(const struct keeper_config *config, struct err *err)
{
	bool end_all = false;

	if (role_hide(err) < 0 || rights_keep(RIGHTS_MACHINE, err) < 0 ||
	    keep(config, &end_all, err) < 0)
		return -1;
	/* After our own sockets are closed: they keep run/ busy. */
	return end_all ? teardown(config->dir, config->settings, err) : 0;
}
