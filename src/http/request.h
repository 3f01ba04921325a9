#pragma once

#include <microhttpd.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "http/answer.h"
#include "http/http.h"
#include "http/query.h"
#include "http/router.h"
#include "http/trace.h"

/*
 * The inside of struct http_request: made when its first line is there, filled step by step by
 * server.c, read by handlers through http.h.
 *
 * Threads: one request belongs to the thread of its connection.
 */
enum { REQUEST_HOST_MAX = 262 }; /* 255 of a name (RFC 1035), a colon, five digits, NUL */

struct http_request {
	struct MHD_Connection *connection;
	struct http_server *server;
	int64_t began_ms; /* monotonic */
	enum http_method method;
	char *path; /* raw; the query's text stands behind it */
	const char *query_text;
	struct query query;
	struct query form;
	struct router_match match;
	struct str body;
	uint64_t received; /* bytes of the body */
	void *context;
	char id[TRACE_ROOM];
	char host[REQUEST_HOST_MAX];
	char *origin;
	bool is_new;    /* no call of the handler yet */
	bool begun;     /* the stream's begin() was called, its end() not yet */
	struct err err; /* the first failure; ERR_NONE: none */
	struct http_answer answer;
	int status;    /* what was answered */
	uint64_t sent; /* length of the answer's body */
};

/*
 * Keeps the address and takes the query out of it: libmicrohttpd, whose text it is, would parse it
 * once more, and cut the connection where its memory is full of fields.
 */
struct http_request *request_new(char *uri, struct MHD_Connection *connection);
void request_free(struct http_request *request);
DEFINE_OWNED(struct http_request *, request_free);

/*
 * Read what stands in the first line and the headers. The id is set in any case.
 * Errors: ERR_INVALID for a malformed query or Host, ERR_TOO_LARGE for the query.
 */
must_check int request_read_head(struct http_request *request, const char *method, struct err *err);

/* "GET", or "OTHER" for what no route can name. */
const char *request_method_name(const struct http_request *request);

/* Content-Length, 0 where there is none. */
uint64_t request_content_length(const struct http_request *request);

/* Parse a collected body that is a form. Errors: as query_parse(). */
must_check int request_read_form(struct http_request *request, struct err *err);
