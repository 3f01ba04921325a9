#include "space/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	/*
	 * A person waits, so the pause between two tries is a hundredth of the time that has
	 * passed: nobody waits a noticeable part longer than the app takes. A refused connection
	 * costs some 50 us.
	 */
	WAIT_SHARE = 100,
	WAIT_MIN_MS = 10,
	WAIT_MAX_MS = 200,
	ANSWER_MS = 5000, /* then ask again on a new connection */
};

static const char answer_start[] = "HTTP/";

struct probe {
	struct loop *loop;
	struct loop_timer *timer;
	struct loop_fd *watch;
	int fd; /* -1 between two tries */
	uint32_t address;
	uint16_t port;
	int64_t began_ms; /* monotonic clock */
	bool asked;
	size_t got; /* bytes of answer_start that have come */
	void (*ready)(void *arg);
	void *arg;
};

static void hang_up(struct probe *probe)
{
	loop_fd_remove(take(probe->watch));
	if (probe->fd >= 0)
		close(take_fd(&probe->fd));
}

static void try_later(struct probe *probe)
{
	int64_t wait_ms;

	hang_up(probe);
	wait_ms = (clock_mono_ms() - probe->began_ms) / WAIT_SHARE;
	if (wait_ms < WAIT_MIN_MS)
		wait_ms = WAIT_MIN_MS;
	loop_timer_set(probe->timer, wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS);
}

/* 1 sent, 0 not yet connected, -1 failed. The request fits into any socket buffer. */
static int ask(struct probe *probe)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n"
				      "User-Agent: espace-probe\r\nConnection: close\r\n\r\n";
	int error = 0;
	socklen_t length = sizeof(error);

	if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error != 0)
		return -1;
	if (send(probe->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) ==
	    (ssize_t)sizeof(request) - 1)
		return 1;
	return errno == EAGAIN || errno == ENOTCONN ? 0 : -1;
}

/* 1 it is HTTP, 0 more must come, -1 it is not, or the connection ended. */
static int listen_to(struct probe *probe)
{
	char bytes[sizeof(answer_start) - 1];
	size_t wanted = sizeof(bytes) - probe->got;
	ssize_t got = recv(probe->fd, bytes, wanted, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0 || memcmp(bytes, answer_start + probe->got, (size_t)got) != 0)
		return -1;
	probe->got += (size_t)got;
	return (size_t)got == wanted;
}

static void on_event(void *arg, uint32_t events)
{
	struct probe *probe = arg;
	int done;

	if (!probe->asked) {
		done = ask(probe);
		if (done > 0) {
			probe->asked = true;
			loop_fd_change(probe->watch, EPOLLIN);
		}
		if (done < 0)
			try_later(probe);
		return;
	}
	done = listen_to(probe);
	if (done < 0) {
		try_later(probe);
	} else if (done > 0) {
		hang_up(probe);
		loop_timer_clear(probe->timer);
		probe->ready(probe->arg);
	}
}

static int begin(struct probe *probe, struct err *err)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(probe->port),
				 .sin_addr.s_addr = htonl(probe->address)};

	probe->asked = false;
	probe->got = 0;
	probe->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe->fd < 0)
		return err_sys(err, "socket");
	if (connect(probe->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		return err_sys(err, "connect");
	return loop_fd_add(probe->loop, probe->fd, EPOLLOUT, on_event, probe, &probe->watch, err);
}

/* Time for the next try, or the try has taken too long. */
static void on_timer(void *arg)
{
	struct probe *probe = arg;
	struct err err = ERR_INIT;

	if (probe->fd >= 0) {
		try_later(probe);
		return;
	}
	if (begin(probe, &err) < 0) { /* no route yet, say: as good as no answer */
		log_debug("space.probe", "error=%s", err.text);
		try_later(probe);
		return;
	}
	loop_timer_set(probe->timer, ANSWER_MS);
}

struct probe *probe_new(struct loop *loop, uint32_t address, uint16_t port,
			void (*ready)(void *arg), void *arg)
{
	struct probe *probe = mem_new(struct probe);

	*probe = (struct probe){
		.loop = loop,
		.fd = -1,
		.address = address,
		.port = port,
		.began_ms = clock_mono_ms(),
		.ready = ready,
		.arg = arg,
	};
	probe->timer = loop_timer_new(loop, on_timer, probe);
	loop_timer_set(probe->timer, 0);
	return probe;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	hang_up(probe);
	loop_timer_free(probe->timer);
	free(probe);
}
