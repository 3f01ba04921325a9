#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/own.h"

/*
 * Feed: events on their way from who makes them to one stream of the stream server (http/follow.h).
 * It holds what the client has not taken yet, up to FEED_MAX_BYTES; a client that lags further
 * behind is cut off, and comes back if it wants to.
 *
 * Threads: any; one adds, one reads.
 */
struct feed;

enum { FEED_MAX_BYTES = 64 * 1024 };

/* Counted, since either side may go first. */
struct feed *feed_new(void);
struct feed *feed_ref(struct feed *feed);
void feed_unref(struct feed *feed);
DEFINE_OWNED(struct feed *, feed_unref);

/* --- who makes the events --- */

/* Whole events, each with its empty line. */
void feed_add(struct feed *feed, const char *events);
/* What was added is still given out; then the stream ends regularly. */
void feed_end(struct feed *feed);
/* The stream has gone: nobody will read. */
bool feed_is_left(struct feed *feed);

/* --- the stream --- */

/* Call `wake` when there is something new to read, in the thread that has added it. */
void feed_listen(struct feed *feed, void (*wake)(void *arg, struct feed *feed), void *arg);
void feed_leave(struct feed *feed);

enum feed_state {
	FEED_DATA, /* bytes were written */
	FEED_WAIT, /* nothing new */
	FEED_END,  /* everything has been given out, and nothing will follow */
	FEED_CUT,  /* the client has lagged behind too far */
};

/* Write up to `max` bytes; an event may be cut and go on in the next call. */
enum feed_state feed_read(struct feed *feed, char *out, size_t max, size_t *length);
