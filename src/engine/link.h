#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/own.h"
#include "base/str.h"

/*
 * One end of the socket pair between hub and runner, in an event loop: whole messages in, whole
 * messages out. Sending never blocks: what the socket does not take waits in a bounded queue.
 *
 * Threads: the loop's own.
 */
struct link;

struct link_events {
	/* A message has come; the bytes are the link's and good for the call only. */
	void (*message)(void *arg, const void *bytes, size_t length);
	/* The queue had to drop messages and is empty again. May be NULL. */
	void (*gap)(void *arg);
	/* The other end is gone for good: nobody holds it. May be NULL. */
	void (*closed)(void *arg);
	void *arg;
};

/* `fd` stays the caller's and must outlive the link. */
must_check int link_new(struct loop *loop, int fd, const struct link_events *events,
			struct link **out, struct err *err);
void link_free(struct link *link);
DEFINE_OWNED(struct link *, link_free);

/*
 * Send, or queue; the message is emptied.
 * Errors: ERR_TOO_LARGE for one that failed while it was written, ERR_BUSY for a full queue.
 */
must_check int link_send(struct link *link, struct str *message, struct err *err);
