#include "engine/link.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "engine/request.h"

/* Enough for a report on every slot of an instance; then the other side is told to look anew. */
enum { QUEUE_MAX = 8192, READS_PER_TURN = 32 };

struct waiting {
	struct waiting *next;
	size_t length;
	char bytes[];
};

struct link {
	struct link_events events;
	struct loop_fd *watch;
	int fd;
	bool gap;
	struct waiting *first;
	struct waiting **last;
	size_t count;
	char buffer[REQUEST_MAX + 1];
};

/* 1 sent, 0 the socket is full, -1 it is broken. */
static int put(struct link *link, const void *bytes, size_t length)
{
	ssize_t sent;

	do
		sent = send(link->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return 1;
	return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
}

/* Environment variables may be secrets: they do not stay behind in freed memory. */
static void drop_first(struct link *link)
{
	struct waiting *one = link->first;

	link->first = one->next;
	explicit_bzero(one->bytes, one->length);
	free(one);
}

static void flush(struct link *link)
{
	while (link->first) {
		if (put(link, link->first->bytes, link->first->length) == 0)
			return;
		link->count--;
		drop_first(link);
	}
	link->last = &link->first;
	loop_fd_change(link->watch, EPOLLIN);
	if (link->gap) {
		link->gap = false;
		if (link->events.gap)
			link->events.gap(link->events.arg);
	}
}

static void receive(struct link *link)
{
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t got = recv(link->fd, link->buffer, sizeof(link->buffer), MSG_DONTWAIT);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			loop_fd_remove(take(link->watch));
			if (link->events.closed)
				link->events.closed(link->events.arg);
			return;
		}
		link->events.message(link->events.arg, link->buffer, (size_t)got);
		explicit_bzero(link->buffer, (size_t)got);
	}
}

static void ready(void *arg, uint32_t events)
{
	struct link *link = arg;

	if (events & EPOLLOUT)
		flush(link);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(link);
}

int link_new(struct loop *loop, int fd, const struct link_events *events, struct link **out,
	     struct err *err)
{
	owned(link_free) struct link *link = mem_new(struct link);

	link->events = *events;
	link->fd = fd;
	link->last = &link->first;
	if (loop_fd_add(loop, fd, EPOLLIN, ready, link, &link->watch, err) < 0)
		return -1;
	*out = take(link);
	return 0;
}

void link_free(struct link *link)
{
	if (!link)
		return;
	loop_fd_remove(link->watch);
	while (link->first)
		drop_first(link);
	free(link);
}

static int enqueue(struct link *link, const struct str *message, struct err *err)
{
	struct waiting *one;

	if (link->count == QUEUE_MAX) {
		link->gap = true;
		return err_set(err, ERR_BUSY, "too many messages wait for the other side");
	}
	one = mem_alloc(sizeof(*one) + message->length);
	one->length = message->length;
	memcpy(one->bytes, message->data, message->length);
	*link->last = one;
	link->last = &one->next;
	link->count++;
	loop_fd_change(link->watch, EPOLLIN | EPOLLOUT);
	return 0;
}

int link_send(struct link *link, struct str *message, struct err *err)
{
	int result = str_check(message, "message", err);

	if (result == 0 && !link->watch)
		result = err_set(err, ERR_BUSY, "the other side is gone");
	if (result == 0 && (link->first || put(link, message->data, message->length) == 0))
		result = enqueue(link, message, err);
	str_done(message); /* wipes it */
	return result;
}
