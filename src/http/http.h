#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

/*
 * HTTP over libmicrohttpd, for a server that stands behind nginx on a unix socket: routes,
 * requests, answers. It knows no Space. One thread per connection: a handler may block.
 *
 * Wire: section 0: paths are matched raw and decoded afterwards (0.1), booleans and arrays in every
 * spelling, X-Request-Id on each answer (0.3).
 */
enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER,
};

struct http_request;
struct http_answer;

/* The longest address, path and query, that is read: as much as nginx passes on. */
#define HTTP_TARGET_MAX 16384

/*
 * A streamed request body. `begin` is called before the first byte, so that rights are checked
 * early; `data` for each piece; then the route's `handle`; `end` always, also after a failure or a
 * lost connection, before the answer is sent. After a failure the rest of the body is read and
 * dropped, then the error is answered; at once where the client waits for "100 Continue".
 */
struct http_stream {
	int (*begin)(struct http_request *request, struct err *err);
	int (*data)(struct http_request *request, const char *bytes, size_t length,
		    struct err *err);
	void (*end)(struct http_request *request);
};

/*
 * A row of the routing table. Patterns are made of literal segments and parameters:
 *   {name}   one segment
 *   {id}     two segments, namespace/name
 *   {rev}    one encoded segment; all the rest where it is the last of the pattern, since
 * JavaScript sends refs/pr/1 as it is (0.1). In front of a {path} the owner knows where it ends
 *   {path}   all the rest, possibly nothing; last in the pattern
 * A parameter may have a literal behind it: "/datasets/{id}.git/info/refs".
 * Literal rows win over parameters. A path that no row knows is ERR_NO_ROUTE, also where only other
 * methods are served there; OPTIONS without a row is answered 204 with http_cors() (0.3).
 */
struct http_route {
	enum http_method method; /* HTTP_GET also serves HEAD */
	const char *pattern;
	uint64_t body_max;                /* bytes; more is ERR_TOO_LARGE */
	const struct http_stream *stream; /* NULL: the body is collected, see http_body() */
	int (*handle)(struct http_request *request, struct http_answer *answer, struct err *err);
	const void *data; /* the owner's row, see http_route_data() */
};

/*
 * What the request says. All strings live as long as the request; NULL where absent. What is
 * decoded is valid UTF-8.
 */
enum http_method http_method(const struct http_request *request);
const char *http_path(const struct http_request *request);       /* raw, without the query */
const char *http_query_text(const struct http_request *request); /* raw; "" without one */
const char *http_header(const struct http_request *request, const char *name);
const char *http_param(const struct http_request *request, const char *name); /* decoded */
const char *http_request_id(const struct http_request *request);
const void *http_route_data(const struct http_request *request);

/* Scheme and authority that the client used: "http://localhost:8080" (X-Forwarded-Proto, Host). */
const char *http_origin(const struct http_request *request);
const char *http_host(
	const struct http_request *request); /* Host with port; "localhost" if absent */

/*
 * Query: first value of a name; `name[]` counts as `name`. Booleans: true/True/1, false/False/0. An
 * empty value counts as absent where a boolean or a number is asked for; then *out stays as it was.
 * The `_all` functions write up to `max` values and return how many they wrote.
 */
const char *http_query(const struct http_request *request, const char *name);
size_t http_query_all(const struct http_request *request, const char *name, const char **out,
		      size_t max);
must_check int http_query_bool(const struct http_request *request, const char *name, bool *out,
			       struct err *err);
must_check int http_query_int(const struct http_request *request, const char *name, int64_t *out,
			      struct err *err);

/* The collected body, NUL-terminated as well. */
const struct str *http_body(const struct http_request *request);

/* A field of an application/x-www-form-urlencoded body, all values (paths-info, B7). */
size_t http_form_all(const struct http_request *request, const char *name, const char **out,
		     size_t max);

/* A place for the owner to keep what begin() found until end(). */
void http_set_context(struct http_request *request, void *context);
void *http_context(const struct http_request *request);

/*
 * The answer. Status 200 without body unless said otherwise. Bodies given are taken over. Where the
 * handler fails its body is dropped; the headers that it has set stay (X-Repo-Commit beside a
 * missing file, B6). Control characters in a value become spaces; a header without a value isn't
 * sent.
 */
struct http_answer *http_answer(struct http_request *request); /* also before the body is read */
void http_status(struct http_answer *answer, int status);
void http_add_header(struct http_answer *answer, const char *name, const char *value);
void http_add_headerf(struct http_answer *answer, const char *name, const char *format, ...)
	like_printf(3, 4);
/* `type` NULL: "application/json; charset=utf-8". `body` is freed by free(). */
void http_body_take(struct http_answer *answer, const char *type, char *body, size_t length);
/* Bytes that live elsewhere until `release(owner)`. */
void http_body_lend(struct http_answer *answer, const char *type, const void *bytes, size_t length,
		    void (*release)(void *owner), void *owner);
/*
 * Bytes that are asked for while they are sent: `read` puts up to `max` into `room` and says how
 * many; 0 and less cut the connection, for the client was promised `length`.
 */
void http_body_pull(struct http_answer *answer, const char *type, uint64_t length,
		    ssize_t (*read)(void *owner, char *room, size_t max),
		    void (*release)(void *owner), void *owner);
/* Bytes offset … offset+length-1 of a descriptor, which is taken over. */
void http_body_file(struct http_answer *answer, const char *type, int fd, uint64_t offset,
		    uint64_t length);
/* HEAD: the length that GET would have, without a body. */
void http_body_length(struct http_answer *answer, const char *type, uint64_t length);

/*
 * What a page of another origin needs in order to read the answer, or, where the request is
 * OPTIONS, to send its own (0.3). The second call for an answer does nothing.
 */
void http_cors(const struct http_request *request, struct http_answer *answer);

/*
 * Range: bytes=a-b, a-, -n against a total (RFC 9110 section 14). Fills first and length; clamps
 * past the end (B6). *partial is false without a Range header, or with one that must be ignored
 * (another unit, several ranges, malformed). Errors: ERR_RANGE.
 */
must_check int http_range(const char *header, uint64_t total, bool *partial, uint64_t *first,
			  uint64_t *length, struct err *err);

/* Decode %XX in place; '+' becomes a space only where `plus`. False: malformed or NUL; `text` is
 * spoilt. */
bool http_decode(char *text, bool plus);

struct http_server;

struct http_config {
	int listen_fd; /* taken over */
	const struct http_route *routes;
	size_t route_count;
	unsigned connection_max; /* 0: 256; more wait in the socket's queue */
	unsigned idle_s;         /* 0: 120, longer than nginx keeps a connection to us */
	/* Turn an error into an answer. Called in the request's thread. */
	void (*fail)(const struct http_request *request, const struct err *err,
		     struct http_answer *answer);
	/* Called on each answer before it is sent, for headers that all have. May be NULL. */
	void (*finish)(const struct http_request *request, struct http_answer *answer);
};

must_check int http_server_start(const struct http_config *config, struct http_server **out,
				 struct err *err);
/*
 * Stop listening, let requests in flight end for up to `grace_ms`, close. A handler that still runs
 * then is waited for, though its client is gone. Where the caller has another copy of the listening
 * socket, that one goes on queueing connections. Takes NULL.
 */
void http_server_stop(struct http_server *server, unsigned grace_ms);
