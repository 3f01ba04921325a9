#include "http/follow.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/tail.h"
#include "http/trace.h"

/*
 * A stream reads its log whenever libmicrohttpd has room for more. Where there is nothing to read,
 * it suspends its connection; the watcher's thread resumes it when its directory has changed, when
 * a keep-alive is due, or when the client has gone, which libmicrohttpd does not see on a suspended
 * connection. So that no change is lost between the look at the file and the suspension, the
 * watcher marks a stream `is_dirty` in any case, and a dirty stream looks again instead of
 * suspending.
 */
enum {
	KEEPALIVE_MS = 30000,
	CONNECTION_MAX = 4096,
	/* How soon a client that left is noticed. */
	SWEEP_MS = 1000,
	/* For directories that can't be watched, because they are not there yet or the kernel's
	   limit of watches is reached. */
	POLL_MS = 200,
	/* A client that takes no byte for so long, while there are some, is cut off. */
	STUCK_S = 120,
	BLOCK_BYTES = 16384,
	CONNECTION_MEMORY_BYTES = 2 * BLOCK_BYTES,
	SPACE_ID_LENGTH = 24,
	LOG_NAME_MAX = 32,
};

static const char keepalive_comment[] = ": keep-alive\n\n";

struct stream {
	struct follow_server *server;
	struct stream *next;
	struct stream **link;
	struct MHD_Connection *connection;
	struct tail *tail; /* a log, or … */
	struct feed *feed; /* … a feed; the other is NULL */
	int socket;
	int watch; /* inotify's; -1: none */
	bool is_suspended;
	bool is_dirty; /* look again before suspending */
	bool is_gone;  /* the client has left */
	bool wants_keepalive;
	int64_t sent_ms; /* monotonic: when the last bytes were given out */
};

struct follow_server {
	struct follow_config config;
	int inotify;
	struct MHD_Daemon *daemon;
	struct loop *loop;
	struct loop_timer *timer; /* armed while there are streams; the watcher's */
	bool is_ticking;          /* the watcher's */
	bool has_thread;
	pthread_t thread;
	/*
	 * Guards all streams but their tails, which belong to libmicrohttpd's thread. Calls that
	 * suspend and resume are made under it: they take a mutex of libmicrohttpd for an instant,
	 * which never calls us while it holds that one.
	 */
	struct lock lock;
	struct stream *streams;
	bool is_stopping;
};

/* With the lock held. */
static void wake(struct stream *stream)
{
	stream->is_dirty = true;
	if (!stream->is_suspended)
		return;
	stream->is_suspended = false;
	MHD_resume_connection(stream->connection);
}

/*
 * What the watcher does, in its own thread.
 */

static void wake_watched(struct follow_server *server, const struct inotify_event *event)
{
	owned(unlock) struct lock *held = lock(&server->lock);
	bool is_overflow = event->mask & IN_Q_OVERFLOW;

	for (struct stream *stream = server->streams; stream; stream = stream->next) {
		if (stream->watch != event->wd && !is_overflow)
			continue;
		if (event->mask & IN_IGNORED)
			stream->watch = -1; /* the directory is gone, and the kernel's watch too */
		wake(stream);
	}
}

static void on_change(void *arg, uint32_t events)
{
	struct follow_server *server = arg;
	char buffer[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t length = read(server->inotify, buffer, sizeof(buffer));
	int last = -1;

	for (char *at = buffer; length > 0 && at < buffer + length;) {
		const struct inotify_event *event = (const struct inotify_event *)at;

		/* An app that prints much makes many equal events. */
		if (event->wd != last || event->mask != IN_MODIFY)
			wake_watched(server, event);
		last = event->wd;
		at += sizeof(*event) + event->len;
	}
}

static bool has_hung_up(int socket)
{
	char byte;
	ssize_t length = recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR);
}

/* With the lock held. libmicrohttpd closes no socket of a suspended connection, so we may look at
 * it. */
static void sweep_stream(struct stream *stream, int64_t now_ms)
{
	if (stream->is_suspended && has_hung_up(stream->socket)) {
		stream->is_gone = true;
		wake(stream);
	} else if (stream->is_suspended &&
		   now_ms - stream->sent_ms >= stream->server->config.keepalive_ms) {
		stream->wants_keepalive = true;
		wake(stream);
	} else if (stream->tail && stream->watch < 0) {
		wake(stream);
	}
}

/* Milliseconds until the next sweep; -1: there is no stream. */
static int64_t sweep(struct follow_server *server)
{
	owned(unlock) struct lock *held = lock(&server->lock);
	int64_t now_ms = clock_mono_ms(), after_ms = SWEEP_MS;

	if (!server->streams)
		return -1;
	if (server->config.keepalive_ms < SWEEP_MS)
		after_ms = server->config.keepalive_ms;
	for (struct stream *stream = server->streams; stream; stream = stream->next) {
		sweep_stream(stream, now_ms);
		if (stream->tail && stream->watch < 0 && after_ms > POLL_MS)
			after_ms = POLL_MS;
	}
	return after_ms;
}

static void on_tick(void *arg)
{
	struct follow_server *server = arg;
	int64_t after_ms = sweep(server);

	server->is_ticking = after_ms >= 0;
	if (server->is_ticking)
		loop_timer_set(server->timer, after_ms);
}

/* There is a stream: the clock must run. */
static void on_first_stream(void *arg)
{
	struct follow_server *server = arg;

	if (!server->is_ticking)
		on_tick(server);
}

static void *watch_all(void *arg)
{
	struct follow_server *server = arg;
	struct err err = ERR_INIT;

	if (loop_run(server->loop, &err) < 0)
		log_error("follow.watcher", "error=%s", err.text);
	return NULL;
}

/*
 * What libmicrohttpd's thread does.
 */

enum step { STEP_READ, STEP_KEEPALIVE, STEP_CUT };

/* What to do now that libmicrohttpd wants bytes. */
static enum step next_step(struct stream *stream)
{
	owned(unlock) struct lock *held = lock(&stream->server->lock);

	stream->is_dirty = false;
	if (stream->is_gone || stream->server->is_stopping)
		return STEP_CUT;
	if (!stream->wants_keepalive)
		return STEP_READ;
	stream->wants_keepalive = false;
	stream->sent_ms = clock_mono_ms();
	return STEP_KEEPALIVE;
}

/* True where there was none yet: what happened before it must be looked at. */
static bool begin_watch(struct stream *stream)
{
	struct follow_server *server = stream->server;
	char path[32];

	if (!stream->tail || tail_dir_fd(stream->tail) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", tail_dir_fd(stream->tail));
	{
		owned(unlock) struct lock *held = lock(&server->lock);

		if (stream->watch >= 0)
			return false;
		stream->watch = inotify_add_watch(server->inotify, path,
						  IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE |
							  IN_DELETE_SELF | IN_ONLYDIR);
		return stream->watch >= 0;
	}
}

static bool suspend_unless_dirty(struct stream *stream)
{
	owned(unlock) struct lock *held = lock(&stream->server->lock);

	if (stream->is_dirty || stream->server->is_stopping)
		return false;
	stream->is_suspended = true;
	MHD_suspend_connection(stream->connection);
	return true;
}

static void note_sent(struct stream *stream)
{
	owned(unlock) struct lock *held = lock(&stream->server->lock);

	stream->sent_ms = clock_mono_ms();
}

static enum feed_state read_source(struct stream *stream, char *room, size_t max, size_t *length)
{
	static const enum feed_state states[] = {
		[TAIL_DATA] = FEED_DATA, [TAIL_WAIT] = FEED_WAIT, [TAIL_END] = FEED_END};

	return stream->feed ? feed_read(stream->feed, room, max, length)
			    : states[tail_read(stream->tail, room, max, length)];
}

static ssize_t read_stream(void *arg, uint64_t offset, char *room, size_t max)
{
	struct stream *stream = arg;

	for (;;) {
		size_t length = 0;
		enum step step = next_step(stream);

		if (step == STEP_CUT)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (step == STEP_KEEPALIVE) {
			memcpy(room, keepalive_comment, sizeof(keepalive_comment) - 1);
			return sizeof(keepalive_comment) - 1;
		}
		switch (read_source(stream, room, max, &length)) {
		case FEED_DATA:
			note_sent(stream);
			return (ssize_t)length;
		case FEED_END:
			return MHD_CONTENT_READER_END_OF_STREAM;
		case FEED_CUT:
			return MHD_CONTENT_READER_END_WITH_ERROR;
		case FEED_WAIT:
			if (!begin_watch(stream) && suspend_unless_dirty(stream))
				return 0;
		}
	}
}

/* With the lock held. */
static void end_watch(struct stream *stream)
{
	if (stream->watch < 0)
		return;
	for (struct stream *other = stream->server->streams; other; other = other->next)
		if (other->watch == stream->watch)
			return;
	inotify_rm_watch(stream->server->inotify, stream->watch);
}

static void stream_free(void *arg)
{
	struct stream *stream = arg;

	{
		owned(unlock) struct lock *held = lock(&stream->server->lock);

		*stream->link = stream->next;
		if (stream->next)
			stream->next->link = stream->link;
		end_watch(stream);
	}
	tail_free(stream->tail);
	if (stream->feed)
		feed_leave(stream->feed);
	feed_unref(stream->feed);
	free(stream);
}

/* A feed has something new: called by whoever has added it. */
static void wake_feed(void *arg, struct feed *feed)
{
	struct follow_server *server = arg;
	owned(unlock) struct lock *held = lock(&server->lock);

	for (struct stream *stream = server->streams; stream; stream = stream->next)
		if (stream->feed == feed)
			wake(stream);
}

/* Of a log, or of a feed. */
static struct stream *stream_new(struct follow_server *server, struct MHD_Connection *connection,
				 struct tail *tail, struct feed *feed)
{
	struct stream *stream = mem_new(struct stream);

	stream->server = server;
	stream->connection = connection;
	stream->tail = tail;
	stream->feed = feed;
	stream->watch = -1;
	stream->sent_ms = clock_mono_ms();
	stream->socket =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	{
		owned(unlock) struct lock *held = lock(&server->lock);

		stream->next = server->streams;
		stream->link = &server->streams;
		if (stream->next)
			stream->next->link = &stream->next;
		server->streams = stream;
	}
	if (feed)
		feed_listen(feed, wake_feed, server);
	loop_post(server->loop, on_first_stream, server);
	return stream;
}

/* "run-12.log" or "build-3.log". */
static bool is_log_name(const char *name)
{
	size_t start = str_starts(name, "run-") ? 4 : str_starts(name, "build-") ? 6 : 0;
	size_t digits = strspn(name + start, "0123456789");

	return start > 0 && digits > 0 && strlen(name) < LOG_NAME_MAX &&
	       !strcmp(name + start + digits, ".log");
}

static struct tail *open_tail(struct follow_server *server, struct MHD_Connection *connection,
			      const char *url)
{
	const char *lines = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "tail");
	size_t line_count = TAIL_ALL;
	char dir[SPACE_ID_LENGTH + sizeof("/logs")];
	const char *id, *name;

	if (!str_starts(url, "/follow/"))
		return NULL;
	id = url + strlen("/follow/");
	name = id + SPACE_ID_LENGTH + strlen("/logs/");
	if (strspn(id, "0123456789abcdef") != SPACE_ID_LENGTH ||
	    !str_starts(id + SPACE_ID_LENGTH, "/logs/") || !is_log_name(name))
		return NULL;
	snprintf(dir, sizeof(dir), "%.*s/logs", SPACE_ID_LENGTH, id);
	/* What is no number asks for everything, as if it weren't there. */
	if (lines && *lines && strspn(lines, "0123456789") == strlen(lines))
		line_count = strtoul(lines, NULL, 10);
	return tail_new(server->config.root_fd, dir, name, line_count);
}

static struct feed *claim_feed(const struct follow_server *server, const char *url)
{
	static const char prefix[] = "/follow/feed/";

	return server->config.claim && str_starts(url, prefix)
		       ? server->config.claim(server->config.arg, url + sizeof(prefix) - 1)
		       : NULL;
}

static struct MHD_Response *text_response(const char *text)
{
	return MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *make_response(struct follow_server *server,
					  struct MHD_Connection *connection, const char *url,
					  const char *method, unsigned *status)
{
	struct MHD_Response *response;
	struct stream *stream;
	struct tail *tail;
	struct feed *feed;

	*status = MHD_HTTP_METHOD_NOT_ALLOWED;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return text_response("only GET is served here\n");
	*status = MHD_HTTP_OK;
	if (!strcmp(url, "/follow/none"))
		return text_response("");
	feed = claim_feed(server, url);
	tail = feed ? NULL : open_tail(server, connection, url);
	if (!feed && !tail) {
		*status = MHD_HTTP_NOT_FOUND;
		return text_response("there is no such stream\n");
	}
	stream = stream_new(server, connection, tail, feed);

	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream,
						     stream, stream_free);
	if (!response)
		stream_free(stream);
	return response;
}

static void add_headers(struct MHD_Connection *connection, struct MHD_Response *response,
			bool is_stream)
{
	const char *trace =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Amzn-Trace-Id");
	char id[TRACE_ROOM];

	trace_make(trace, id);
	MHD_add_response_header(response, "X-Request-Id", id);
	MHD_add_response_header(response, "Content-Type",
				is_stream ? "text/event-stream; charset=utf-8"
					  : "text/plain; charset=utf-8");
	MHD_add_response_header(response, "Cache-Control", "no-cache");
	MHD_add_response_header(response, "X-Accel-Buffering", "no");
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *bytes,
				  size_t *length, void **context)
{
	static char headers_are_there;
	struct follow_server *server = arg;
	struct MHD_Response *response;
	enum MHD_Result result;
	unsigned status;

	/* An answer in the first call, or beside a body, would close the connection. */
	if (!*context || *length > 0) {
		*context = &headers_are_there;
		*length = 0;
		return MHD_YES;
	}
	response = make_response(server, connection, url, method, &status);
	if (!response)
		return MHD_NO;
	add_headers(connection, response, status == MHD_HTTP_OK);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	log_debug("follow.request", "path=%s status=%u", url, status);
	return result;
}

like_printf(2, 0) static void on_log(void *arg, const char *format, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("follow.library", "text=%s", text);
}

/*
 * Life of the server.
 */

static void free_server(struct follow_server *server)
{
	if (!server)
		return;
	if (server->has_thread) {
		loop_quit(server->loop);
		pthread_join(server->thread, NULL);
	}
	loop_free(server->loop);
	own_close(&server->inotify);
	own_close(&server->config.root_fd);
	own_close(&server->config.listen_fd);
	free(server);
}
DEFINE_OWNED(struct follow_server *, free_server);

static int start_watcher(struct follow_server *server, struct err *err)
{
	struct loop_fd *watch;

	server->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (server->inotify < 0)
		return err_sys(err, "watch files");
	if (loop_new(&server->loop, err) < 0 ||
	    loop_fd_add(server->loop, server->inotify, EPOLLIN, on_change, server, &watch, err) < 0)
		return -1;
	server->timer = loop_timer_new(server->loop, on_tick, server);
	errno = pthread_create(&server->thread, NULL, watch_all, server);
	if (errno)
		return err_sys(err, "start the watcher's thread");
	server->has_thread = true;
	return 0;
}

static int start_daemon(struct follow_server *server, struct err *err)
{
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
			MHD_USE_ERROR_LOG,
		0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, server->config.listen_fd, MHD_OPTION_CONNECTION_LIMIT,
		server->config.connection_max, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)STUCK_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
		MHD_OPTION_END);
	if (server->daemon)
		return 0;
	server->config.listen_fd = -1; /* libmicrohttpd has closed it */
	return err_sys(err, "start the stream server");
}

int follow_server_start(const struct follow_config *config, struct follow_server **out,
			struct err *err)
{
	owned(free_server) struct follow_server *server = mem_new(struct follow_server);

	server->config = *config;
	server->inotify = -1;
	server->lock = (struct lock)LOCK_INIT;
	if (server->config.keepalive_ms == 0)
		server->config.keepalive_ms = KEEPALIVE_MS;
	if (server->config.connection_max == 0)
		server->config.connection_max = CONNECTION_MAX;
	if (start_watcher(server, err) < 0 || start_daemon(server, err) < 0)
		return -1;
	*out = take(server);
	return 0;
}

void follow_server_stop(struct follow_server *server)
{
	if (!server)
		return;
	/* Without it libmicrohttpd would shut the socket down, for all who have a copy of it. */
	MHD_quiesce_daemon(server->daemon);
	{
		owned(unlock) struct lock *held = lock(&server->lock);

		server->is_stopping = true;
		for (struct stream *stream = server->streams; stream; stream = stream->next)
			wake(stream);
	}
	/* Frees all streams; the watcher must live until then. */
	MHD_stop_daemon(server->daemon);
	free_server(server);
}
