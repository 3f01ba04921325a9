#pragma once

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <stdbool.h>

#include "route/lookup.h"

/*
 * The nginx module: sends each request for a Space's host name where it belongs.
 *
 * A public Space that runs is found in run/routes and reached at once; for all else an internal
 * subrequest asks the hub. "May this visitor enter?" of a private Space that runs; then it is
 * reached and counted like a public one. Else "who serves this?", which may be held there until the
 * Space is awake. The answer is always 200 with one header: X-Espace-Enter, X-Espace-To: IP:PORT,
 * or X-Espace-Page: NAME; and X-Espace-Drop where the app must not see the Authorization. What can
 * be decided elsewhere is decided in the hub.
 *
 *   module.c    directives and variables
 *   table.c     run/routes, mapped by each worker, and the worker's row of counters
 *   visit.c     one request: its slug, where it goes, its count
 *   session.c   calls that belong together
 *   access.c    the phase handler and the question
 *   cookie.c    which cookies are the app's, which the hub's
 *   balancer.c  hands the visit's address to proxy_pass
 *   socket.c    which visits are WebSockets, and whether they are used
 *   count.c     refuses a request with too many headers, whoever it is for
 *
 * Directives: espace_routes PATH, espace_domain SUFFIX… (http), espace_ask URI (location: its
 * requests are visits), espace_balancer (upstream). Variables: $espace_slug, $espace_page,
 * $espace_question ("may" or "who"), $espace_authorization and $espace_cookie (what the app gets),
 * $espace_pass (the hub's own cookies), $espace_grant (what the hub answers). The server has a
 * named location @espace_page.
 *
 * Threads: each worker is one. Memory: nginx's request pools only.
 */
struct espace_common {
	ngx_str_t routes;
	ngx_array_t domains;       /* of ngx_str_t, lower case, without a leading dot */
	struct route_table *table; /* this worker's; NULL: not mapped yet */
	unsigned row;
	time_t looked_s; /* when mapping was last tried */
};

struct espace_location {
	ngx_str_t ask;
};

enum espace_stage { ESPACE_NEW, ESPACE_ASKING, ESPACE_ANSWERED, ESPACE_DECIDED };

struct espace_visit {
	ngx_http_request_t *request;
	struct espace_common *common;
	ngx_str_t slug;       /* within the Host; empty: no name that a Space can have */
	struct route_key key; /* of the slug */
	enum espace_stage stage;
	unsigned asked;
	unsigned connects;
	bool opens; /* espace_opens_session() */

	struct route_counters *counters; /* where the visit is counted now, or NULL */
	unsigned side;
	bool upgraded;       /* it is in socket.c's queue, by … */
	ngx_queue_t sockets; /* … this */
	off_t said;          /* bytes, at the last look */

	struct sockaddr_in address; /* where it goes; port 0: nowhere yet */
	bool told;                  /* the address is the hub's answer, not the table's */
	ngx_str_t question;         /* what to ask the hub */
	ngx_str_t page;             /* the hub's answer, or empty */
	ngx_str_t grant;            /* the value of a cookie that goes with the page, or empty */
	bool admitted;              /* the hub lets the visitor in, also where it is private */
	bool drops;                 /* the Authorization is for the hub, not for the app */
};

extern ngx_module_t ngx_http_espace_module;

/* The table with this worker's row, or NULL while the hub has not made it: then ask. */
struct route_table *espace_table(struct espace_common *common, ngx_log_t *log);

/* The visit of a request, made at its first call. NULL: no memory. */
struct espace_visit *espace_visit_make(ngx_http_request_t *r);
/* The same, or NULL where there is none. Also after an internal redirect and within a subrequest.
 */
struct espace_visit *espace_visit_find(ngx_http_request_t *r);

/*
 * Count the visit and look where it goes. True: straight to visit->address. False: it is not
 * counted, and the hub must be asked visit->question.
 */
bool espace_visit_enter(struct espace_visit *visit);

/*
 * The hub said `address`: count the visit where the slug has an entry. False: the Space is about to
 * sleep again, ask once more.
 */
bool espace_visit_follow(struct espace_visit *visit);

/* No connection there: look again, for the Space may have moved. False: it serves no more. */
bool espace_visit_again(struct espace_visit *visit);

/*
 * Gradio's clients post a call and fetch its result by a second request, from the same process of
 * the app or there is none (Wire: L3). Is this the first, is it a second one?
 */
bool espace_opens_session(ngx_http_request_t *r);
bool espace_continues_session(ngx_http_request_t *r);

void espace_visit_send_to(struct espace_visit *visit, uint32_t address, uint16_t port);

/* The cookies for the app, and the values of the hub's, with blanks between; empty without memory.
 */
ngx_str_t espace_cookies_of_app(ngx_http_request_t *r);
ngx_str_t espace_passes(ngx_http_request_t *r);

/* The visit is over, if it was one of a WebSocket; before it is counted out. */
void espace_socket_end(struct espace_visit *visit);
/* Once for nginx, and for each worker. */
void espace_socket_filter(void);
void espace_socket_start(ngx_log_t *log);

ngx_int_t espace_access(ngx_http_request_t *r);
/* 431 where a request has more headers than any client sends. */
ngx_int_t espace_count(ngx_http_request_t *r);
char *espace_balancer(ngx_conf_t *cf, ngx_command_t *command, void *conf);
