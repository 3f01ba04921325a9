#pragma once

#include "base/err.h"
#include "base/own.h"

/*
 * Acceptor: a thread that accepts connections as long as fewer than `max` are open; more of them
 * wait in the socket's queue. libmicrohttpd would accept and close them, where each connection has
 * a thread of its own, and a client that comes at a busy moment would get an error for its
 * patience.
 *
 * Threads: acceptor_enter() and acceptor_leave() from any, the rest from the owner's.
 */
struct acceptor;

/*
 * `accepted` gets each connection, in the acceptor's thread, and calls acceptor_enter() before it
 * returns if the connection lives on. The listening socket stays the caller's.
 */
struct acceptor *acceptor_new(int listen_fd, unsigned max, void (*accepted)(void *arg, int fd),
			      void *arg);

/* After acceptor_stop(), when no connection can leave any more. Takes NULL. */
void acceptor_free(struct acceptor *acceptor);
DEFINE_OWNED(struct acceptor *, acceptor_free);

must_check int acceptor_start(struct acceptor *acceptor, struct err *err);

/* No connection is accepted any more when it returns. */
void acceptor_stop(struct acceptor *acceptor);

/* Count a connection that lives; and that it has ended. */
void acceptor_enter(struct acceptor *acceptor);
void acceptor_leave(struct acceptor *acceptor);
