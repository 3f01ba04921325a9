#include "front/ask.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/str.h"
#include "front/show.h"

enum {
	SWEEP_MS = 1000,
	BATCH = 16,        /* held visitors that are let go together … */
	BATCH_GAP_MS = 10, /* … and the pause until the next ones: 1600 in a second */
	STOP_WAIT_MS = 1000,
	MEMORY_BYTES = 64 * 1024, /* of a connection: three headers of nginx's 16 KB */
};

#define PATH_ASK  "/ask"
#define PATH_PAGE "/page/"

enum ask_state {
	ASK_CALLING,  /* within `who`, the connection is not suspended yet */
	ASK_HELD,     /* suspended, in server->held */
	ASK_ANSWERED, /* the answer stands; the connection goes on, or will when it is its turn */
};

enum ask_kind { ASK_PAGE, ASK_ADDRESS, ASK_ENTER };

/* Two hold it: the connection, and whoever got it by `who` until he answers. */
struct ask {
	struct ask_server *server;
	struct MHD_Connection *connection;
	int fd; /* of the connection, which outlives the hold */
	struct ask_visitor visitor;
	int64_t deadline_ms;

	/* Guarded by server->lock. */
	unsigned owners;
	enum ask_state state;
	enum ask_kind kind;
	bool drops; /* the app must not see the Authorization */
	enum front_page page;
	char *grant; /* of FRONT_PAGE_ENTER, or NULL */
	uint32_t address;
	uint16_t port;
	TAILQ_ENTRY(ask) link; /* in `held` or `ready` */
};

TAILQ_HEAD(ask_list, ask);

struct ask_server {
	struct ask_config config;
	struct MHD_Daemon *daemon;
	pthread_t thread;

	struct lock lock; /* guards all that follows, and the marked part of each question */
	pthread_cond_t changed;
	struct ask_list held;
	struct ask_list ready; /* answered, not let go yet */
	size_t asks;           /* with a connection */
	size_t owners;         /* the caller and each question */
	bool stopping;
};

/* Called without the lock, as the last of its owners may be the caller. */
static void server_release(struct ask_server *server)
{
	bool last;

	{
		owned(unlock) struct lock *held = lock(&server->lock);

		last = --server->owners == 0;
	}
	if (!last)
		return;
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock.mutex);
	free(server);
}

static void forget(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void ask_release(struct ask *ask)
{
	struct ask_server *server = ask->server;
	bool last;

	{
		owned(unlock) struct lock *held = lock(&server->lock);

		last = --ask->owners == 0;
	}
	if (!last)
		return;
	free(ask->visitor.slug);
	free(ask->visitor.uri);
	forget(ask->visitor.token);
	forget(ask->visitor.hub_token);
	forget(ask->visitor.passes);
	forget(ask->grant);
	free(ask->visitor.from);
	free(ask);
	server_release(server);
}

const struct ask_visitor *ask_visitor(const struct ask *ask)
{
	return &ask->visitor;
}

void ask_drop_authorization(struct ask *ask)
{
	owned(unlock) struct lock *held = lock(&ask->server->lock);

	if (ask->state != ASK_ANSWERED)
		ask->drops = true;
}

/* With the lock. The first answer stands. */
static void settle(struct ask *ask)
{
	struct ask_server *server = ask->server;

	if (ask->state == ASK_HELD) {
		TAILQ_REMOVE(&server->held, ask, link);
		TAILQ_INSERT_TAIL(&server->ready, ask, link);
		pthread_cond_broadcast(&server->changed);
	}
	ask->state = ASK_ANSWERED;
}

static void settle_page(struct ask *ask, enum front_page page)
{
	ask->kind = ASK_PAGE;
	ask->page = page;
	settle(ask);
}

void ask_answer_address(struct ask *ask, uint32_t address, uint16_t port)
{
	{
		owned(unlock) struct lock *held = lock(&ask->server->lock);

		if (ask->state != ASK_ANSWERED) {
			ask->kind = ASK_ADDRESS;
			ask->address = address;
			ask->port = port;
			settle(ask);
		}
	}
	ask_release(ask);
}

void ask_answer_page(struct ask *ask, enum front_page page)
{
	{
		owned(unlock) struct lock *held = lock(&ask->server->lock);

		if (ask->state != ASK_ANSWERED)
			settle_page(ask, page);
	}
	ask_release(ask);
}

void ask_answer_grant(struct ask *ask, const char *cookie)
{
	{
		owned(unlock) struct lock *held = lock(&ask->server->lock);

		if (ask->state != ASK_ANSWERED) {
			ask->grant = mem_text(cookie);
			settle_page(ask, FRONT_PAGE_ENTER);
		}
	}
	ask_release(ask);
}

void ask_answer_enter(struct ask *ask)
{
	{
		owned(unlock) struct lock *held = lock(&ask->server->lock);

		if (ask->state != ASK_ANSWERED) {
			ask->kind = ASK_ENTER;
			settle(ask);
		}
	}
	ask_release(ask);
}

/* Did the visitor leave? nginx then closes its side; libmicrohttpd does not look while suspended.
 */
static bool has_left(const struct ask *ask)
{
	struct pollfd fd = {.fd = ask->fd, .events = POLLRDHUP};

	return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* With the lock. */
static void sweep(struct ask_server *server, int64_t now_ms)
{
	struct ask *ask = TAILQ_FIRST(&server->held);

	while (ask) {
		struct ask *next = TAILQ_NEXT(ask, link);

		if (server->stopping || has_left(ask))
			settle_page(ask, FRONT_PAGE_UNAVAILABLE);
		else if (now_ms >= ask->deadline_ms)
			settle_page(ask, FRONT_PAGE_STARTING);
		ask = next;
	}
}

/* Take the next few connections that may go on. They are still suspended, so nobody closes them. */
static size_t take_batch(struct ask_server *server, struct MHD_Connection *out[static BATCH])
{
	size_t count = 0;
	struct ask *ask;

	while (count < BATCH && (ask = TAILQ_FIRST(&server->ready))) {
		TAILQ_REMOVE(&server->ready, ask, link);
		out[count++] = ask->connection;
	}
	return count;
}

static struct timespec time_of(int64_t mono_ms)
{
	return (struct timespec){.tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000};
}

/* With the lock, which is free while waiting. A batch has its gap even if more are ready. */
static void wait_for_work(struct ask_server *server, int64_t sweep_ms, bool after_batch)
{
	int64_t until_ms = after_batch ? clock_mono_ms() + BATCH_GAP_MS : sweep_ms;
	struct timespec until = time_of(until_ms);

	while (!server->stopping && (after_batch || TAILQ_EMPTY(&server->ready))) {
		if (!after_batch && TAILQ_EMPTY(&server->held))
			pthread_cond_wait(&server->changed, &server->lock.mutex);
		else if (pthread_cond_timedwait(&server->changed, &server->lock.mutex, &until))
			return;
		if (!after_batch && !TAILQ_EMPTY(&server->held) && clock_mono_ms() >= sweep_ms)
			return;
	}
}

static bool is_finished(const struct ask_server *server)
{
	return server->stopping && TAILQ_EMPTY(&server->held) && TAILQ_EMPTY(&server->ready);
}

static void *let_go(void *arg)
{
	struct ask_server *server = arg;
	struct MHD_Connection *batch[BATCH];
	int64_t sweep_ms = clock_mono_ms() + SWEEP_MS;
	size_t count = 0;
	bool finished = false;

	while (!finished) {
		{
			owned(unlock) struct lock *held = lock(&server->lock);

			wait_for_work(server, sweep_ms, count == BATCH);
			if (server->stopping || clock_mono_ms() >= sweep_ms) {
				sweep(server, clock_mono_ms());
				sweep_ms = clock_mono_ms() + SWEEP_MS;
			}
			count = take_batch(server, batch);
			finished = is_finished(server);
		}
		for (size_t i = 0; i < count; i++)
			MHD_resume_connection(batch[i]);
	}
	return NULL;
}

static void add_answer(struct MHD_Response *response, const struct ask *ask)
{
	char text[sizeof("255.255.255.255:65535")];

	switch (ask->kind) {
	case ASK_PAGE:
		MHD_add_response_header(response, "X-Espace-Page", front_page_name(ask->page));
		break;
	case ASK_ADDRESS:
		snprintf(text, sizeof(text), "%u.%u.%u.%u:%u", ask->address >> 24,
			 ask->address >> 16 & 0xff, ask->address >> 8 & 0xff, ask->address & 0xff,
			 ask->port);
		MHD_add_response_header(response, "X-Espace-To", text);
		break;
	case ASK_ENTER:
		MHD_add_response_header(response, "X-Espace-Enter", "yes");
		break;
	}
	if (ask->grant)
		MHD_add_response_header(response, "X-Espace-Grant", ask->grant);
	if (ask->drops)
		MHD_add_response_header(response, "X-Espace-Drop", "authorization");
}

/* 200 and headers: who serves the visitor. */
static enum MHD_Result send_answer(struct MHD_Connection *connection, const struct ask *ask)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	add_answer(response, ask);
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

static char *header_copy(struct MHD_Connection *connection, const char *name)
{
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);

	return mem_text(value ? value : "");
}

static void read_visitor(struct MHD_Connection *connection, struct ask_visitor *out)
{
	owned(free) char *question = header_copy(connection, "X-Espace-Question");
	owned(free) char *method = header_copy(connection, "X-Espace-Method");

	*out = (struct ask_visitor){
		.slug = header_copy(connection, "X-Espace-Slug"),
		.uri = header_copy(connection, "X-Espace-Uri"),
		.token = header_copy(connection, "X-Espace-Token"),
		.hub_token = header_copy(connection, "X-Espace-Hub-Token"),
		.passes = header_copy(connection, "X-Espace-Pass"),
		.from = header_copy(connection, "X-Espace-From"),
		.is_get = strcmp(method, "GET") == 0,
		.wants_page = show_is_wanted(connection),
		.only_may = strcmp(question, "may") == 0,
	};
}

static struct ask *ask_new(struct ask_server *server, struct MHD_Connection *connection)
{
	struct ask *ask = mem_new(struct ask);
	owned(unlock) struct lock *held = lock(&server->lock);

	ask->server = server;
	ask->connection = connection;
	ask->fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	read_visitor(connection, &ask->visitor);
	ask->deadline_ms =
		clock_mono_ms() +
		(ask->visitor.wants_page ? server->config.browser_hold_ms : server->config.hold_ms);
	ask->owners = 2;
	server->owners++;
	server->asks++;
	return ask;
}

/*
 * `who` may have answered by now, from this thread or another. Suspended under the lock, or an
 * answer could come before there is anything to resume. Returns whether the question is held.
 */
static bool hold(struct ask *ask)
{
	struct ask_server *server = ask->server;
	owned(unlock) struct lock *held = lock(&server->lock);

	if (ask->state == ASK_ANSWERED)
		return false;
	if (server->stopping || clock_mono_ms() >= ask->deadline_ms) {
		settle_page(ask, server->stopping ? FRONT_PAGE_UNAVAILABLE : FRONT_PAGE_STARTING);
		return false;
	}
	ask->state = ASK_HELD;
	TAILQ_INSERT_TAIL(&server->held, ask, link);
	MHD_suspend_connection(ask->connection);
	pthread_cond_broadcast(&server->changed); /* the first one starts the sweeps */
	return true;
}

/* A request of nginx: a question as soon as it has been read, or none if it is for a page. */
struct exchange {
	struct ask *ask;
};

static enum MHD_Result answer_question(struct ask_server *server, struct exchange *exchange,
				       struct MHD_Connection *connection)
{
	if (!exchange->ask) {
		exchange->ask = ask_new(server, connection);
		server->config.who(server->config.arg, exchange->ask);
		if (hold(exchange->ask))
			return MHD_YES; /* called again when resumed */
	}
	return send_answer(connection, exchange->ask);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *body,
				  size_t *body_length, void **context)
{
	struct ask_server *server = arg;

	if (!*context) {
		/* An answer in the first call would cost the connection (libmicrohttpd 0.9.75). */
		*context = mem_new(struct exchange);
		return MHD_YES;
	}
	if (*body_length > 0) {
		*body_length = 0;
		return MHD_YES;
	}
	if (strcmp(path, PATH_ASK) == 0)
		return answer_question(server, *context, connection);
	if (str_starts(path, PATH_PAGE))
		return show_page(connection, front_page_of(path + strlen(PATH_PAGE)));
	return show_page(connection, FRONT_PAGE_NOT_FOUND);
}

static void on_end(void *arg, struct MHD_Connection *connection, void **context,
		   enum MHD_RequestTerminationCode why)
{
	struct ask_server *server = arg;
	struct exchange *exchange = *context;

	if (exchange && exchange->ask) {
		{
			owned(unlock) struct lock *held = lock(&server->lock);

			server->asks--;
			pthread_cond_broadcast(&server->changed);
		}
		ask_release(exchange->ask);
	}
	free(exchange);
	*context = NULL;
}

static int start_daemon(struct ask_server *server, struct err *err)
{
	unsigned max = server->config.connection_max;

	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
		server, MHD_OPTION_LISTEN_SOCKET, server->config.listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, max ? max : ASK_CONNECTIONS_DEFAULT,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
		MHD_OPTION_NOTIFY_COMPLETED, on_end, server, MHD_OPTION_END);
	if (!server->daemon)
		return err_set(err, ERR_SYSTEM, "the question server does not start");
	return 0;
}

static struct ask_server *server_new(const struct ask_config *config)
{
	struct ask_server *server = mem_new(struct ask_server);
	pthread_condattr_t attributes;

	server->config = *config;
	server->lock = (struct lock)LOCK_INIT;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&server->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	TAILQ_INIT(&server->held);
	TAILQ_INIT(&server->ready);
	server->owners = 1;
	return server;
}

int ask_server_start(const struct ask_config *config, struct ask_server **out, struct err *err)
{
	struct ask_server *server = server_new(config);

	if (start_daemon(server, err) < 0) {
		close(config->listen_fd);
		server_release(server);
		return -1;
	}
	errno = pthread_create(&server->thread, NULL, let_go, server);
	if (errno) {
		err_sys(err, "start a thread for questions");
		MHD_stop_daemon(server->daemon);
		server_release(server);
		return -1;
	}
	*out = server;
	return 0;
}

/* Let the last answers reach nginx; one that does not read them is not waited for. */
static void wait_until_sent(struct ask_server *server)
{
	struct timespec until = time_of(clock_mono_ms() + STOP_WAIT_MS);
	owned(unlock) struct lock *held = lock(&server->lock);

	while (server->asks > 0 &&
	       pthread_cond_timedwait(&server->changed, &server->lock.mutex, &until) == 0)
		;
}

void ask_server_stop(struct ask_server *server)
{
	if (!server)
		return;
	{
		owned(unlock) struct lock *held = lock(&server->lock);

		server->stopping = true;
		pthread_cond_broadcast(&server->changed);
	}
	pthread_join(server->thread, NULL);
	wait_until_sent(server);
	MHD_stop_daemon(server->daemon);
	server_release(server);
}
