#include "daemon/machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/datadir.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon/keeper.h"
#include "daemon/owner.h"
#include "daemon/run_role.h"
#include "daemon/teardown.h"
#include "runner/basesystem.h"
#include "store/store.h"

#define POOL_SUFFIX "/16" /* what a pool must leave for instances (datadir.h) */

enum {
	STOP_LIMIT_MS = 30000, /* design 2: stop returns in at most 30 s */
	CONF_MODE = 0644,
	LOOK_PAUSE_NS = 200 * 1000 * 1000,
};

static const char first_conf[] =
	"# Settings of this hub: name = value. espaced --help names them all.\n"
	"#\n"
	"# listen = 0.0.0.0:8080\n"
	"# domain = spaces.example\n";

/* First address of a /16, from "10.213.0.0/16". */
static int parse_pool(const char *text, uint32_t *out, struct err *err)
{
	owned(free) char *address = mem_text(text);
	char *slash = strchr(address, '/');
	struct in_addr in;
	bool is_pool = slash && !strcmp(slash, POOL_SUFFIX);

	if (slash)
		*slash = '\0';
	if (!is_pool || inet_pton(AF_INET, address, &in) != 1 || ntohl(in.s_addr) & 0xffff)
		return err_set(err, ERR_INVALID,
			       "network.pool: \"%s\" is no /16, such as 10.213.0.0/16", text);
	*out = ntohl(in.s_addr);
	return 0;
}

int machine_claim(const struct options *options, int *locked, struct err *err)
{
	uint32_t pool = 0;
	owned(close) int fd = -1;

	if (geteuid() != 0)
		return err_set(err, ERR_DENIED,
			       "this must be started by root: it makes containers");
	if (parse_pool(options->settings.network_pool, &pool, err) < 0 ||
	    file_make_dirs(AT_FDCWD, options->data, 0755, err) < 0 ||
	    keeper_lock(options->data, &fd, err) < 0 ||
	    datadir_claim(options->data, pool, (uint32_t)options->settings.ids_base, err) < 0)
		return -1;
	*locked = take_fd(&fd);
	return 0;
}

/* Held only meanwhile: the word may be given to a running hub, which has claimed it before. */
static int claim_for_word(const struct options *options, struct err *err)
{
	owned(close) int locked = -1;

	if (machine_claim(options, &locked, err) < 0 && err->kind != ERR_BUSY)
		return -1;
	return 0;
}

int machine_init(const struct options *options, struct err *err)
{
	owned(datadir_done) struct datadir dir = {.fd = -1};
	owned(store_close) struct store *store = NULL;
	owned(free) char *path = NULL;

	if (claim_for_word(options, err) < 0 || owner_become(options->data, err) < 0 ||
	    datadir_open(options->data, &dir, err) < 0)
		return -1;
	path = datadir_path(&dir, "espace.db");
	if (store_open(path, &store, err) < 0)
		return -1;
	if (file_exists(dir.fd, "espace.conf"))
		return 0;
	return file_write(dir.fd, "espace.conf", first_conf, strlen(first_conf), CONF_MODE, err);
}

/* One attempt at the base system, made by this process. */
struct making {
	struct loop *loop;
	struct err err;
};

static void made(void *arg, const struct err *err)
{
	struct making *making = arg;

	if (err)
		making->err = *err;
	loop_quit(making->loop);
}

static int make_base(const struct datadir *dir, const struct settings *settings, struct err *err)
{
	owned(run_role_setup_done) struct run_role_setup setup = {0};
	owned(loop_free) struct loop *loop = NULL;
	owned(basesystem_free) struct basesystem *base = NULL;
	struct making making = {.err = ERR_INIT};

	if (run_role_configure(settings, dir, &setup, err) < 0 || loop_new(&loop, err) < 0)
		return -1;
	making.loop = loop;
	if (basesystem_new(&setup.config, loop, made, &making, &base, err) < 0)
		return -1;
	if (basesystem_name(base))
		return 0;
	basesystem_make(base);
	if (loop_run(loop, err) < 0)
		return -1;
	*err = making.err;
	return making.err.kind == ERR_NONE ? 0 : -1;
}

/* A running hub makes it at its start anyway: two at once would be in each other's way. */
static int wait_base(const struct datadir *dir, struct err *err)
{
	pid_t keeper = 1;

	while (!file_exists(dir->fd, "layers/base")) {
		nanosleep(&(struct timespec){.tv_nsec = LOOK_PAUSE_NS}, NULL);
		if (keeper_find(dir, &keeper, err) < 0)
			return -1;
		if (!keeper)
			return err_set(err, ERR_BUSY,
				       "the hub ended before the base system was made");
	}
	return 0;
}

int machine_prepare(const struct options *options, struct err *err)
{
	owned(datadir_done) struct datadir dir = {.fd = -1};
	owned(close) int locked = -1;

	if (machine_claim(options, &locked, err) < 0 && err->kind != ERR_BUSY)
		return -1;
	if (datadir_open(options->data, &dir, err) < 0)
		return -1;
	return locked < 0 ? wait_base(&dir, err) : make_base(&dir, &options->settings, err);
}

/* Wait for the end of a process that is no child of ours. */
static int wait_end(pid_t pid, int limit_ms, struct err *err)
{
	owned(close) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return errno == ESRCH ? 0 : err_sys(err, "watch process %d", (int)pid);
	if (poll(&ended, 1, limit_ms) == 1)
		return 0;
	return err_set(err, ERR_BUSY, "espaced (process %d) does not end", (int)pid);
}

/* A keeper ends everything itself; one that can't is killed, and its children with it. */
static int end_keeper(const struct datadir *dir, struct err *err)
{
	pid_t pid;

	if (keeper_find(dir, &pid, err) < 0)
		return -1;
	if (!pid)
		return 0;
	kill(pid, SIGINT);
	if (!wait_end(pid, STOP_LIMIT_MS, err))
		return 0;
	log_warn("stop.killed", "process=%d", (int)pid);
	kill(pid, SIGKILL);
	return wait_end(pid, STOP_LIMIT_MS, err);
}

/* Between its lock and its state file, a keeper that starts can't be found yet. */
static int become_last(const struct datadir *dir, int *locked, struct err *err)
{
	int64_t until_ms = clock_mono_ms() + STOP_LIMIT_MS;

	for (;;) {
		if (end_keeper(dir, err) < 0)
			return -1;
		if (keeper_lock(dir->path, locked, err) == 0)
			return 0;
		if (err->kind != ERR_BUSY || clock_mono_ms() >= until_ms)
			return -1;
		nanosleep(&(struct timespec){.tv_nsec = LOOK_PAUSE_NS}, NULL);
	}
}

int machine_stop(const struct options *options, struct err *err)
{
	owned(datadir_done) struct datadir dir = {.fd = -1};
	owned(close) int locked = -1;

	if (geteuid() != 0)
		return err_set(err, ERR_DENIED, "stop must be started by root");
	if (datadir_open(options->data, &dir, err) < 0 || become_last(&dir, &locked, err) < 0)
		return -1;
	return teardown(&dir, &options->settings, err);
}
