#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"

/*
 * Two rules make removal safe everywhere. A watch that is removed stays allocated until the events
 * that epoll has handed out are worked off, since one of them may point to it. A timer leaves the
 * heap before it is called, so its callback may free it.
 */
enum { EVENTS_AT_ONCE = 64 };

struct loop_fd {
	struct loop *loop;
	struct loop_fd *next; /* in the list of all, or of the removed */
	struct loop_fd **link;
	int fd;
	bool removed;
	void (*ready)(void *arg, uint32_t events);
	void *arg;
};

struct loop_timer {
	struct loop *loop;
	struct loop_timer *next;
	struct loop_timer **link;
	size_t place; /* in the heap, from 1; 0: not armed */
	int64_t due_ms;
	uint64_t order; /* of equal times, first set comes first */
	void (*due)(void *arg);
	void *arg;
};

struct post {
	struct post *next;
	void (*ready)(void *arg);
	void *arg;
};

struct loop {
	int epoll;
	int wake; /* eventfd: posts, or the end */
	atomic_bool quit;
	struct loop_fd *watches;
	struct loop_fd *removed;
	struct loop_timer *timers;
	struct loop_timer **heap; /* [1] is due first */
	size_t heap_count;
	size_t heap_room;
	uint64_t next_order;
	struct lock lock; /* guards posts, last_post */
	struct post *posts;
	struct post **last_post;
};

/* Intrusive lists of all objects, so that loop_free() finds what its owners have left. */
#define LIST_ADD(head, item)                                \
	do {                                                \
		(item)->next = *(head);                     \
		(item)->link = (head);                      \
		if ((item)->next)                           \
			(item)->next->link = &(item)->next; \
		*(head) = (item);                           \
	} while (0)

#define LIST_REMOVE(item)                                  \
	do {                                               \
		*(item)->link = (item)->next;              \
		if ((item)->next)                          \
			(item)->next->link = (item)->link; \
	} while (0)

int loop_new(struct loop **out, struct err *err)
{
	owned(loop_free) struct loop *loop = mem_new(struct loop);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

	loop->lock = (struct lock)LOCK_INIT;
	loop->last_post = &loop->posts;
	loop->wake = -1;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return err_sys(err, "epoll_create1");
	loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake < 0)
		return err_sys(err, "eventfd");
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) < 0)
		return err_sys(err, "epoll_ctl");
	*out = take(loop);
	return 0;
}

static void free_removed(struct loop *loop)
{
	while (loop->removed) {
		struct loop_fd *watch = loop->removed;

		loop->removed = watch->next;
		free(watch);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->watches)
		loop_fd_remove(loop->watches);
	free_removed(loop);
	while (loop->timers)
		loop_timer_free(loop->timers);
	while (loop->posts) {
		struct post *post = loop->posts;

		loop->posts = post->next;
		free(post);
	}
	free(loop->heap);
	if (loop->wake >= 0)
		close(loop->wake);
	if (loop->epoll >= 0)
		close(loop->epoll);
	free(loop);
}

static void wake(struct loop *loop)
{
	uint64_t one = 1;

	/* Fails only where the counter is full, and then the loop is awake already. */
	(void)!write(loop->wake, &one, sizeof(one));
}

void loop_quit(struct loop *loop)
{
	atomic_store(&loop->quit, true);
	wake(loop);
}

void loop_post(struct loop *loop, void (*ready)(void *arg), void *arg)
{
	struct post *post = mem_new(struct post);

	post->ready = ready;
	post->arg = arg;
	{
		owned(unlock) struct lock *held = lock(&loop->lock);

		*loop->last_post = post;
		loop->last_post = &post->next;
	}
	wake(loop);
}

/* Those that are there now; what they post themselves comes in the next round. */
static void run_posts(struct loop *loop)
{
	struct post *posts;
	uint64_t count;

	(void)!read(loop->wake, &count, sizeof(count));
	{
		owned(unlock) struct lock *held = lock(&loop->lock);

		posts = take(loop->posts);
		loop->last_post = &loop->posts;
	}
	while (posts) {
		struct post *post = posts;

		posts = post->next;
		post->ready(post->arg);
		free(post);
	}
}

int loop_fd_add(struct loop *loop, int fd, uint32_t events,
		void (*ready)(void *arg, uint32_t events), void *arg, struct loop_fd **out,
		struct err *err)
{
	owned(free) struct loop_fd *watch = mem_new(struct loop_fd);
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return err_sys(err, "watch a descriptor");
	watch->loop = loop;
	watch->fd = fd;
	watch->ready = ready;
	watch->arg = arg;
	LIST_ADD(&loop->watches, watch);
	*out = take(watch);
	return 0;
}

void loop_fd_change(struct loop_fd *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};
	int done = epoll_ctl(watch->loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);

	assert(done == 0); /* else the descriptor was closed before its watch was removed */
}

void loop_fd_remove(struct loop_fd *watch)
{
	if (!watch)
		return;
	epoll_ctl(watch->loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	LIST_REMOVE(watch);
	watch->removed = true;
	watch->next = watch->loop->removed;
	watch->loop->removed = watch;
}

static bool comes_first(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void heap_put(struct loop *loop, size_t place, struct loop_timer *timer)
{
	loop->heap[place] = timer;
	timer->place = place;
}

/* Move the timer from `place`, which is free, to where it belongs. */
static void heap_settle(struct loop *loop, size_t place, struct loop_timer *timer)
{
	while (place > 1 && comes_first(timer, loop->heap[place / 2])) {
		heap_put(loop, place, loop->heap[place / 2]);
		place /= 2;
	}
	for (size_t child; (child = place * 2) <= loop->heap_count; place = child) {
		if (child < loop->heap_count &&
		    comes_first(loop->heap[child + 1], loop->heap[child]))
			child++;
		if (!comes_first(loop->heap[child], timer))
			break;
		heap_put(loop, place, loop->heap[child]);
	}
	heap_put(loop, place, timer);
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*due)(void *arg), void *arg)
{
	struct loop_timer *timer = mem_new(struct loop_timer);

	timer->loop = loop;
	timer->due = due;
	timer->arg = arg;
	LIST_ADD(&loop->timers, timer);
	return timer;
}

void loop_timer_set(struct loop_timer *timer, int64_t after_ms)
{
	struct loop *loop = timer->loop;
	int64_t now_ms = clock_mono_ms();

	loop_timer_clear(timer);
	if (after_ms < 0)
		after_ms = 0;
	timer->due_ms = after_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + after_ms;
	timer->order = loop->next_order++;
	loop->heap_count++;
	if (loop->heap_count >= loop->heap_room) {
		loop->heap_room = loop->heap_count * 2;
		loop->heap = mem_grow(loop->heap, loop->heap_room, sizeof(struct loop_timer *));
	}
	heap_settle(loop, loop->heap_count, timer);
}

void loop_timer_clear(struct loop_timer *timer)
{
	struct loop *loop = timer->loop;
	size_t place = timer->place;

	if (!place)
		return;
	timer->place = 0;

	struct loop_timer *last = loop->heap[loop->heap_count--];

	if (last != timer)
		heap_settle(loop, place, last);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	loop_timer_clear(timer);
	LIST_REMOVE(timer);
	free(timer);
}

/* At most as many as there are now, so that one that is set to 0 again and again stops nobody. */
static void run_timers(struct loop *loop)
{
	int64_t now_ms = clock_mono_ms();

	for (size_t left = loop->heap_count; left && loop->heap_count; left--) {
		struct loop_timer *timer = loop->heap[1];

		if (timer->due_ms > now_ms)
			return;
		loop_timer_clear(timer);
		timer->due(timer->arg);
	}
}

/* Milliseconds until the first timer, as epoll_wait(2) takes them. */
static int patience_ms(const struct loop *loop)
{
	if (!loop->heap_count)
		return -1;

	int64_t left = loop->heap[1]->due_ms - clock_mono_ms();

	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int loop_run(struct loop *loop, struct err *err)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	while (!atomic_exchange(&loop->quit, false)) {
		int count = epoll_wait(loop->epoll, events, EVENTS_AT_ONCE, patience_ms(loop));

		if (count < 0 && errno != EINTR)
			return err_sys(err, "epoll_wait");
		for (int i = 0; i < count; i++) {
			struct loop_fd *watch = events[i].data.ptr;

			if (!watch)
				run_posts(loop);
			else if (!watch->removed)
				watch->ready(watch->arg, events[i].events);
		}
		run_timers(loop);
		free_removed(loop);
	}
	return 0;
}
