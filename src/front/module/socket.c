#include "espace.h"

/*
 * Upgraded connections (WebSockets) stay open for hours, and most of the time nothing is said. Here
 * they are counted apart, and what is sent either way counts as a visit's beginning does: so the
 * hub can tell a silent one from one that is used, which the setting sleep.websockets is about.
 */
enum { LOOK_MS = 500 };

static ngx_http_output_header_filter_pt next_filter;
static ngx_queue_t sockets; /* visits of this worker */
static ngx_event_t look_event;
static ngx_connection_t no_connection = {.fd = (ngx_socket_t)-1}; /* for the log of the event */

/* Bytes to the visitor, and to the app. */
static off_t said(const ngx_http_request_t *r)
{
	const ngx_connection_t *app = r->upstream ? r->upstream->peer.connection : NULL;

	return r->connection->sent + (app ? app->sent : 0);
}

static void look(ngx_event_t *event)
{
	for (ngx_queue_t *at = ngx_queue_head(&sockets); at != ngx_queue_sentinel(&sockets);
	     at = ngx_queue_next(at)) {
		struct espace_visit *visit = ngx_queue_data(at, struct espace_visit, sockets);
		off_t now = said(visit->request);

		if (now != visit->said)
			atomic_store(&visit->counters->activity_ms, ngx_current_msec);
		visit->said = now;
	}
	if (!ngx_queue_empty(&sockets))
		ngx_add_timer(event, LOOK_MS);
}

static ngx_int_t filter_header(ngx_http_request_t *r)
{
	struct espace_visit *visit = espace_visit_find(r);

	if (r == r->main && r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS && visit &&
	    visit->counters && !visit->upgraded) {
		visit->upgraded = true;
		visit->said = said(r);
		ngx_queue_insert_tail(&sockets, &visit->sockets);
		route_upgraded(visit->counters);
		if (!look_event.timer_set)
			ngx_add_timer(&look_event, LOOK_MS);
	}
	return next_filter(r);
}

void espace_socket_end(struct espace_visit *visit)
{
	if (!visit->upgraded)
		return;
	visit->upgraded = false;
	ngx_queue_remove(&visit->sockets);
	route_not_upgraded(visit->counters);
}

void espace_socket_filter(void)
{
	next_filter = ngx_http_top_header_filter;
	ngx_http_top_header_filter = filter_header;
}

void espace_socket_start(ngx_log_t *log)
{
	ngx_queue_init(&sockets);
	look_event.handler = look;
	look_event.log = log;
	look_event.data = &no_connection;
	look_event.cancelable = 1; /* a worker that is told to go does not wait for it */
}
