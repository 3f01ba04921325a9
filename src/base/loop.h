#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * An event loop over epoll: descriptors, timers, and calls posted from other threads. All callbacks
 * run in the thread of loop_run(), one after another, and must not block.
 *
 * Units:   milliseconds of the monotonic clock.
 * Threads: loop_post() and loop_quit() from any thread, the rest from the loop's own.
 */
struct loop;
struct loop_fd;
struct loop_timer;

must_check int loop_new(struct loop **out, struct err *err);

/* Releases the watches and timers that are left too, and drops posts that have not run. */
void loop_free(struct loop *loop);
DEFINE_OWNED(struct loop *, loop_free);

/* Run until loop_quit(). */
must_check int loop_run(struct loop *loop, struct err *err);
void loop_quit(struct loop *loop);

/* Call `ready` in the loop's thread soon. `arg` must live until then. */
void loop_post(struct loop *loop, void (*ready)(void *arg), void *arg);

/*
 * Watch a descriptor for `events` (EPOLLIN…). The descriptor stays the caller's; remove the watch
 * before closing it. Removing a watch inside of any callback is fine.
 */
must_check int loop_fd_add(struct loop *loop, int fd, uint32_t events,
			   void (*ready)(void *arg, uint32_t events), void *arg,
			   struct loop_fd **out, struct err *err);
void loop_fd_change(struct loop_fd *watch, uint32_t events);
void loop_fd_remove(struct loop_fd *watch); /* takes NULL */

/* A timer that fires once per loop_timer_set(); not armed when made. */
struct loop_timer *loop_timer_new(struct loop *loop, void (*due)(void *arg), void *arg);
void loop_timer_set(struct loop_timer *timer, int64_t after_ms);
void loop_timer_clear(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* takes NULL */
