#pragma once

#include "base/err.h"
#include "base/own.h"
#include "http/feed.h"

/*
 * The stream server: sends server-sent events. Of a Space's log the backlog first, then live, until
 * the log is complete (http/tail.h); of a feed what somebody adds to it (http/feed.h). It has a
 * unix socket of its own and asks nobody for rights: nginx reaches it only by X-Accel-Redirect,
 * after the API has said yes. Addresses:
 *
 *     GET /follow/<24 hex>/logs/run-1.log   or build-1.log; ?tail=N begins with the last N lines
 *     GET /follow/feed/<ticket>             the feed of a ticket, which is good for once
 *     GET /follow/none                      a stream that ends at once: there is no log yet
 *
 * A log that is missing is waited for, unless its ".end" is there. When we stop, streams are cut,
 * not ended: so clients that follow come back.
 *
 * Threads: one runs libmicrohttpd's loop, one watches files and clients; neither ever blocks. Any
 *          number of clients costs no more.
 * Wire:    A12.
 */
struct follow_server;

struct follow_config {
	int listen_fd;           /* taken over */
	int root_fd;             /* the directory with one folder for each Space; taken over */
	unsigned keepalive_ms;   /* 0: 30000. Below 5000 clients that don't follow would hang */
	unsigned connection_max; /* 0: 4096 */
	/*
	 * The feed of a ticket, with a reference for the stream; NULL where there is none. Called
	 * in libmicrohttpd's thread: it must not block. May be NULL itself.
	 */
	struct feed *(*claim)(void *arg, const char *ticket);
	void *arg;
};

must_check int follow_server_start(const struct follow_config *config, struct follow_server **out,
				   struct err *err);

/*
 * Cut all streams and close. Another copy of the listening socket goes on queueing. Nobody may add
 * to a feed any more. Takes NULL.
 */
void follow_server_stop(struct follow_server *server);
