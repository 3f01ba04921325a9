#include "http/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"

/* When there is no descriptor left: until somebody may have closed one. */
enum { PAUSE_MS = 100 };

struct acceptor {
	int listen_fd;
	int stop_fd; /* readable once the thread is to end */
	unsigned max;
	void (*accepted)(void *arg, int fd);
	void *arg;
	bool has_thread;
	pthread_t thread;
	struct lock lock;    /* guards what is below */
	pthread_cond_t room; /* signalled when a connection has ended, or on stop */
	unsigned open;
	bool is_stopping;
};

/* False: stop. */
static bool wait_for_room(struct acceptor *acceptor)
{
	owned(unlock) struct lock *held = lock(&acceptor->lock);

	while (acceptor->open >= acceptor->max && !acceptor->is_stopping)
		pthread_cond_wait(&acceptor->room, &acceptor->lock.mutex);
	return !acceptor->is_stopping;
}

static void wait_for_client(struct acceptor *acceptor)
{
	struct pollfd fds[] = {
		{.fd = acceptor->listen_fd, .events = POLLIN},
		{.fd = acceptor->stop_fd, .events = POLLIN},
	};

	poll(fds, 2, -1);
}

static void pause_a_moment(struct acceptor *acceptor)
{
	struct pollfd stop = {.fd = acceptor->stop_fd, .events = POLLIN};

	poll(&stop, 1, PAUSE_MS);
}

static void *accept_all(void *arg)
{
	struct acceptor *acceptor = arg;

	while (wait_for_room(acceptor)) {
		int fd = accept4(acceptor->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			acceptor->accepted(acceptor->arg, fd);
		} else if (errno == EAGAIN) {
			wait_for_client(acceptor);
		} else if (errno != EINTR && errno != ECONNABORTED) {
			log_warn("http.accept", "errno=%d", errno);
			pause_a_moment(acceptor);
		}
	}
	return NULL;
}

struct acceptor *acceptor_new(int listen_fd, unsigned max, void (*accepted)(void *arg, int fd),
			      void *arg)
{
	struct acceptor *acceptor = mem_new(struct acceptor);

	acceptor->listen_fd = listen_fd;
	acceptor->stop_fd = -1;
	acceptor->max = max;
	acceptor->accepted = accepted;
	acceptor->arg = arg;
	acceptor->lock = (struct lock)LOCK_INIT;
	pthread_cond_init(&acceptor->room, NULL);
	return acceptor;
}

int acceptor_start(struct acceptor *acceptor, struct err *err)
{
	int flags = fcntl(acceptor->listen_fd, F_GETFL);

	if (flags < 0 || fcntl(acceptor->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(err, "prepare the listening socket");
	acceptor->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (acceptor->stop_fd < 0)
		return err_sys(err, "eventfd");
	errno = pthread_create(&acceptor->thread, NULL, accept_all, acceptor);
	if (errno)
		return err_sys(err, "start the accepting thread");
	acceptor->has_thread = true;
	return 0;
}

void acceptor_stop(struct acceptor *acceptor)
{
	uint64_t one = 1;

	{
		owned(unlock) struct lock *held = lock(&acceptor->lock);

		acceptor->is_stopping = true;
		pthread_cond_signal(&acceptor->room);
	}
	/* Fails only where the counter is full, and then it is readable already. */
	(void)!write(acceptor->stop_fd, &one, sizeof(one));
	if (acceptor->has_thread)
		pthread_join(acceptor->thread, NULL);
	acceptor->has_thread = false;
}

void acceptor_free(struct acceptor *acceptor)
{
	if (!acceptor)
		return;
	if (acceptor->has_thread)
		acceptor_stop(acceptor);
	pthread_cond_destroy(&acceptor->room);
	own_close(&acceptor->stop_fd);
	free(acceptor);
}

void acceptor_enter(struct acceptor *acceptor)
{
	owned(unlock) struct lock *held = lock(&acceptor->lock);

	acceptor->open++;
}

void acceptor_leave(struct acceptor *acceptor)
{
	owned(unlock) struct lock *held = lock(&acceptor->lock);

	acceptor->open--;
	pthread_cond_signal(&acceptor->room);
}
