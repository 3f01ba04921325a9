#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/acceptor.h"
#include "http/answer.h"
#include "http/http.h"
#include "http/request.h"
#include "http/router.h"

/*
 * libmicrohttpd calls us several times for each request, always in the connection's own thread:
 *
 *     on_uri         the first line is there: the request is made
 *     on_request     1. the headers are there: prepare()
 *                    2. for each piece of the body: receive()
 *                    3. all is there: answer()
 *     on_completed   the answer is sent, or the connection is lost
 *
 * An answer is queued in step 3 only: one that is queued in step 1 makes libmicrohttpd close the
 * connection, and opening connections cost the API a factor of five.
 */

enum {
	CONNECTION_MAX = 256,
	/* The acceptor keeps the limit; libmicrohttpd counts a connection a little longer than we.
	 */
	CONNECTION_SLACK = 64,
	/* nginx closes idle connections to us after 60 s; if we were first, a POST could get lost.
	 */
	IDLE_S = 120,
	/*
	 * Half of it is the buffer that bodies are read through; the query must fit in, too.
	 * libmicrohttpd zeroes all of it after each request: of 160 KiB that was a tenth of a call.
	 */
	CONNECTION_MEMORY_BYTES = 64 * 1024,
	/* A handler that took longer has used up the connection's idle time, which goes on running.
	 */
	SLOW_MS = 500,
};

struct http_server {
	struct http_config config;
	struct router *router;
	struct MHD_Daemon *daemon;
	struct acceptor *acceptor; /* set before the first connection */
	atomic_bool stopping;
	struct lock lock;    /* guards what is below */
	pthread_cond_t idle; /* signalled when no request is left */
	unsigned active;
};

static void *on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct http_server *server = arg;
	/* Of its own buffer: it only promises not to have changed it yet. */
	struct http_request *request = request_new((char *)uri, connection);
	owned(unlock) struct lock *held = lock(&server->lock);

	request->server = server;
	server->active++;
	return request;
}

/* libmicrohttpd would decode the path; we route on the raw one. */
static size_t keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
	return strlen(text);
}

static bool has_failed(const struct http_request *request)
{
	return request->err.kind != ERR_NONE;
}

/*
 * The time that our code took is not the client's: begin its idle time anew. libmicrohttpd does
 * that where a timeout is set on a connection that had none.
 */
static void forgive_time(struct http_request *request, int64_t since_ms)
{
	const struct http_server *server = request->server;

	if (clock_mono_ms() - since_ms < SLOW_MS)
		return;
	MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
	MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT,
				  server->config.idle_s);
}

static bool is_preflight(const struct http_request *request)
{
	return request->method == HTTP_OPTIONS && !request->match.route;
}

static int check_length(const struct http_request *request, uint64_t length, struct err *err)
{
	uint64_t max = request->match.route->body_max;

	if (length > max)
		return err_set(err, ERR_TOO_LARGE,
			       "the body is larger than %llu bytes, which are accepted here",
			       (unsigned long long)max);
	return 0;
}

static int begin_body(struct http_request *request, struct err *err)
{
	const struct http_route *route = request->match.route;

	if (check_length(request, request_content_length(request), err) < 0)
		return -1;
	if (!route->stream) {
		request->body = str_new_wiping((size_t)route->body_max);
		return 0;
	}
	request->begun = true;
	return route->stream->begin ? route->stream->begin(request, err) : 0;
}

static int prepare(struct http_request *request, const char *method, struct err *err)
{
	const struct http_server *server = request->server;

	if (request_read_head(request, method, err) < 0)
		return -1;
	log_request(request->id);
	if (router_find(server->router, request->method, request->path, &request->match, err) < 0)
		return is_preflight(request) && err->kind == ERR_NO_ROUTE ? 0 : -1;
	return begin_body(request, err);
}

static int receive(struct http_request *request, const char *bytes, size_t length, struct err *err)
{
	const struct http_stream *stream;

	request->received += length;
	if (is_preflight(request))
		return 0;
	if (check_length(request, request->received, err) < 0)
		return -1;
	stream = request->match.route->stream;
	if (stream)
		return stream->data(request, bytes, length, err);
	str_add_n(&request->body, bytes, length);
	return str_check(&request->body, "the body", err);
}

static void end_stream(struct http_request *request)
{
	if (!request->begun)
		return;
	request->begun = false;
	if (request->match.route->stream->end)
		request->match.route->stream->end(request);
}

static int handle(struct http_request *request, struct http_answer *answer, struct err *err)
{
	if (is_preflight(request)) {
		http_status(answer, 204);
		http_cors(request, answer);
		return 0;
	}
	if (!request->match.route->stream && request_read_form(request, err) < 0)
		return -1;
	return request->match.route->handle(request, answer, err);
}

static enum MHD_Result send_answer(struct http_request *request, struct http_answer *answer)
{
	const struct http_server *server = request->server;
	struct MHD_Response *response;
	enum MHD_Result result;

	answer_set_header(answer, "X-Request-Id", request->id);
	if (atomic_load(&server->stopping))
		answer_set_header(answer, "Connection", "close");
	request->status = answer->status;
	request->sent = request->method == HTTP_HEAD ? 0 : answer->length;
	response = answer_response(answer);
	if (!response)
		return MHD_NO;
	result = MHD_queue_response(request->connection, (unsigned)answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer(struct http_request *request)
{
	const struct http_config *config = &request->server->config;
	struct http_answer *answer = &request->answer;
	struct err err = ERR_INIT;

	if (!has_failed(request) && handle(request, answer, &err) < 0)
		request->err = err;
	if (has_failed(request)) {
		answer_drop_body(answer);
		answer->status = 500;
		config->fail(request, &request->err, answer);
	}
	if (config->finish)
		config->finish(request, answer);
	end_stream(request);
	return send_answer(request, answer);
}

/* A client that asks before it sends a body can be told at once that it need not. */
static bool waits_for_continue(const struct http_request *request)
{
	const char *expect = http_header(request, "Expect");

	return expect && !strcasecmp(expect, "100-continue");
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *bytes,
				  size_t *length, void **context)
{
	struct http_request *request = *context;
	int64_t since_ms = clock_mono_ms();
	struct err err = ERR_INIT;

	if (request->is_new) {
		request->is_new = false;
		if (prepare(request, method, &err) < 0)
			request->err = err;
		forgive_time(request, since_ms);
		return has_failed(request) && waits_for_continue(request) ? answer(request)
									  : MHD_YES;
	}
	if (*length == 0)
		return answer(request);
	if (!has_failed(request) && receive(request, bytes, *length, &err) < 0)
		request->err = err;
	*length = 0;
	forgive_time(request, since_ms);
	return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode how)
{
	struct http_server *server = arg;
	struct http_request *request = *context;

	if (!request)
		return;
	end_stream(request);
	log_debug("http.request", "method=%s path=%.300s status=%d bytes=%llu ms=%lld%s",
		  request_method_name(request), request->path, request->status,
		  (unsigned long long)request->sent,
		  (long long)(clock_mono_ms() - request->began_ms),
		  how == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : " cut=yes");
	log_request(NULL);
	*context = NULL;
	request_free(request);
	{
		owned(unlock) struct lock *held = lock(&server->lock);

		if (--server->active == 0)
			pthread_cond_signal(&server->idle);
	}
}

/* A connection begins or ends. */
static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct http_server *server = arg;

	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		acceptor_enter(server->acceptor);
	else
		acceptor_leave(server->acceptor);
}

static void on_accepted(void *arg, int fd)
{
	struct http_server *server = arg;
	struct sockaddr_un nobody = {.sun_family = AF_UNIX};

	/* Closes the socket if it fails. */
	MHD_add_connection(server->daemon, fd, (struct sockaddr *)&nobody, sizeof(nobody));
}

like_printf(2, 0) static void on_log(void *arg, const char *format, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("http.library", "text=%s", text);
}

static struct MHD_Daemon *start_daemon(struct http_server *server)
{
	const struct MHD_OptionItem options[] = {
		{MHD_OPTION_CONNECTION_LIMIT, server->config.connection_max + CONNECTION_SLACK,
		 NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, server->config.idle_s, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES, NULL},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, server},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_uri, server},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, server},
		{MHD_OPTION_END, 0, NULL},
	};

	return MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
					MHD_USE_POLL | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET |
					MHD_USE_ERROR_LOG,
				0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER,
				on_log, NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static void free_server(struct http_server *server)
{
	if (!server)
		return;
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	acceptor_free(server->acceptor);
	pthread_cond_destroy(&server->idle);
	router_free(server->router);
	own_close(&server->config.listen_fd);
	free(server);
}
DEFINE_OWNED(struct http_server *, free_server);

int http_server_start(const struct http_config *config, struct http_server **out, struct err *err)
{
	owned(free_server) struct http_server *server = mem_new(struct http_server);
	pthread_condattr_t clock;

	server->config = *config;
	if (server->config.connection_max == 0)
		server->config.connection_max = CONNECTION_MAX;
	if (server->config.idle_s == 0)
		server->config.idle_s = IDLE_S;
	server->router = router_new(config->routes, config->route_count);
	server->lock = (struct lock)LOCK_INIT;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&server->idle, &clock);
	pthread_condattr_destroy(&clock);
	server->daemon = start_daemon(server);
	if (!server->daemon)
		return err_sys(err, "start the http server");
	server->acceptor = acceptor_new(server->config.listen_fd, server->config.connection_max,
					on_accepted, server);
	if (acceptor_start(server->acceptor, err) < 0)
		return -1;
	*out = take(server);
	return 0;
}

static void wait_until_idle(struct http_server *server, unsigned grace_ms)
{
	owned(unlock) struct lock *held = lock(&server->lock);
	struct timespec until;
	int result = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += grace_ms / 1000;
	until.tv_nsec += (long)(grace_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (server->active > 0 && result == 0)
		result = pthread_cond_timedwait(&server->idle, &server->lock.mutex, &until);
	if (server->active > 0)
		log_warn("http.cut", "requests=%u", server->active);
}

void http_server_stop(struct http_server *server, unsigned grace_ms)
{
	if (!server)
		return;
	atomic_store(&server->stopping, true);
	acceptor_stop(server->acceptor);
	wait_until_idle(server, grace_ms);
	free_server(server);
}
