#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "front/page.h"

/*
 * Ask: answers nginx's question "who serves this?" on ask.sock, and serves the pages (front/page.h)
 * that an answer may name. Visitors cannot reach this socket.
 *
 * A question goes to `who`, which answers at once or keeps it until the Space is up. A browser is
 * not held longer than `browser_hold_ms`: it gets the page "starting", which reloads. All others
 * are held up to `hold_ms` and then get the same as JSON with Retry-After. Visitors that hang up
 * meanwhile are noticed within a second.
 *
 * Threads: one runs libmicrohttpd's loop, one releases held questions, a few at a time, so that an
 * app that has just woken up is not met by all at once. Neither blocks; `who` must not either.
 */
struct ask;

/* Who wants what. */
struct ask_visitor {
	char *slug;      /* empty: no name that a Space can have */
	char *uri;       /* path and query, as sent */
	char *token;     /* of Authorization, or empty; it may be the app's own */
	char *hub_token; /* of X-HF-Authorization, or empty */
	char *passes;    /* values of cookies of the hub, with blanks between; or empty */
	char *from;      /* address */
	bool is_get;
	bool wants_page; /* a browser that opens a page */
	bool only_may;   /* where the Space runs is known: may they enter? */
};

/* It lives until the question is answered. */
const struct ask_visitor *ask_visitor(const struct ask *ask);

/* What the visitor sent as Authorization is a token of the hub: the app must not see it. Before the
 * answer. */
void ask_drop_authorization(struct ask *ask);

/*
 * Answer, from any thread: exactly one call for each question, which ends it; `ask` must not be
 * touched any more. If the visitor has gone or waited too long, nothing else happens.
 */
void ask_answer_address(struct ask *ask, uint32_t address, uint16_t port); /* host byte order */
void ask_answer_page(struct ask *ask, enum front_page page);
void ask_answer_enter(struct ask *ask); /* to `only_may`: yes */
/*
 * To who came by a link: the same address without it, and this cookie for the time to come. Empty:
 * they have one.
 */
void ask_answer_grant(struct ask *ask, const char *cookie);

struct ask_server;

struct ask_config {
	int listen_fd;                           /* taken over */
	void (*who)(void *arg, struct ask *ask); /* called in the loop's thread */
	void *arg;
	unsigned hold_ms;
	unsigned browser_hold_ms; /* 0: the page at once */
	unsigned connection_max;  /* 0: ASK_CONNECTIONS_DEFAULT; more wait in the queue */
};

enum { ASK_CONNECTIONS_DEFAULT = 10000 };

must_check int ask_server_start(const struct ask_config *config, struct ask_server **out,
				struct err *err);

/*
 * Answer what is held with "unavailable" and stop. Another copy of the listening socket goes on
 * queueing. Questions that `who` still keeps may, and must, be answered afterwards. Takes NULL.
 */
void ask_server_stop(struct ask_server *server);
DEFINE_OWNED(struct ask_server *, ask_server_stop);
