#include "runner/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "runner/container.h"

#define PID_FILE "run/dnsmasq.pid"

enum { RESTART_AFTER_MS = 1000, END_TIMEOUT_MS = 3000 };

struct resolver {
	const struct runner_config *config;
	struct loop *loop;
	struct proc child; /* where it is our child */
	int pidfd;         /* the same, or of an adopted one */
	struct loop_fd *watch;
	struct loop_timer *timer;
};

/*
 * In the child, so that no moment exists in which it holds our address and nobody knows of it. By
 * path: the child's descriptors are numbered anew already.
 */
static int write_pid(void *arg, struct err *err)
{
	owned(free) char *path = datadir_path(arg, PID_FILE);
	char text[64];

	snprintf(text, sizeof(text), "%d %" PRIu64 "\n", (int)getpid(), proc_start_time(getpid()));
	return file_write(AT_FDCWD, path, text, strlen(text), 0644, err);
}

/* A descriptor of the process that the file names, or -1. */
static int open_recorded(const struct datadir *dir)
{
	owned(str_done) struct str text = str_new(64);
	struct err err = ERR_INIT; /* no file: none runs */
	uint64_t start;
	int pid;

	if (file_read(dir->fd, PID_FILE, &text, &err) < 0 ||
	    sscanf(text.data, "%d %" SCNu64, &pid, &start) != 2)
		return -1;
	return container_open_process(pid, start);
}

static int start(struct resolver *resolver, struct err *err)
{
	struct in_addr in = {.s_addr = htonl(datadir_address(resolver->config->dir, 1))};
	char gateway[INET_ADDRSTRLEN];
	owned(free) char *listen = NULL;
	owned(free) char *hub = NULL; /* and no question about it goes outside, for IPv6 say */
	const char *user = getpwnam("dnsmasq") ? "--user=dnsmasq" : "--user=nobody";

	inet_ntop(AF_INET, &in, gateway, sizeof(gateway));
	listen = mem_format("--listen-address=%s", gateway);
	hub = mem_format("--address=/hub.espace/%s", gateway);

	/* bogus-priv: reverse questions for private ranges are answered at once, with "no such
	 * name". */
	const char *const argv[] = {"dnsmasq",
				    "--keep-in-foreground",
				    "--conf-file=/dev/null",
				    "--pid-file",
				    "--no-hosts",
				    "--bind-interfaces",
				    "--except-interface=lo",
				    listen,
				    hub,
				    "--local=/hub.espace/",
				    "--bogus-priv",
				    "--cache-size=1000",
				    user,
				    NULL};
	/* Not our stderr: it outlives us, and whoever reads that would wait for its end. */
	const int fds[] = {-1, -1, -1};
	struct proc_spec spec = {.argv = argv,
				 .fds = fds,
				 .fd_count = 3,
				 .prepare = write_pid,
				 .prepare_arg = (void *)resolver->config->dir,
				 .new_group = true};

	if (proc_start(&spec, &resolver->child, err) < 0)
		return err_in(err, "name server");
	resolver->pidfd = fcntl(resolver->child.pidfd, F_DUPFD_CLOEXEC, 0);
	return resolver->pidfd < 0 ? err_sys(err, "name server") : 0;
}

static void unwatch(struct resolver *resolver)
{
	loop_fd_remove(take(resolver->watch));
	own_close(&resolver->pidfd);
	resolver->pidfd = -1;
}

static void ended(void *arg, uint32_t events)
{
	struct resolver *resolver = arg;

	log_warn("runner.resolver", "state=ended");
	unwatch(resolver);
	proc_done(&resolver->child); /* reaps it */
	loop_timer_set(resolver->timer, RESTART_AFTER_MS);
}

static int watch(struct resolver *resolver, struct err *err)
{
	return loop_fd_add(resolver->loop, resolver->pidfd, EPOLLIN, ended, resolver,
			   &resolver->watch, err);
}

static void restart(void *arg)
{
	struct resolver *resolver = arg;
	struct err err = ERR_INIT;

	if (start(resolver, &err) == 0 && watch(resolver, &err) == 0)
		return;
	log_error("runner.resolver", "error=%s", err.text);
	unwatch(resolver);
	loop_timer_set(resolver->timer, RESTART_AFTER_MS);
}

int resolver_new(const struct runner_config *config, struct loop *loop, struct resolver **out,
		 struct err *err)
{
	owned(resolver_free) struct resolver *resolver = mem_new(struct resolver);

	resolver->config = config;
	resolver->loop = loop;
	resolver->child = PROC_INIT;
	resolver->timer = loop_timer_new(loop, restart, resolver);
	resolver->pidfd = open_recorded(config->dir);
	if (resolver->pidfd < 0 && start(resolver, err) < 0)
		return -1;
	if (watch(resolver, err) < 0)
		return -1;
	*out = take(resolver);
	return 0;
}

void resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	unwatch(resolver);
	own_close(&resolver->child.pidfd); /* not proc_done(): it serves on */
	loop_timer_free(resolver->timer);
	free(resolver);
}

void resolver_kill(const struct datadir *dir)
{
	owned(close) int fd = open_recorded(dir);
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	if (fd >= 0) {
		pidfd_send_signal(fd, SIGKILL, NULL, 0); /* it keeps nothing */
		poll(&polled, 1, END_TIMEOUT_MS);
	}
	unlinkat(dir->fd, PID_FILE, 0);
}
