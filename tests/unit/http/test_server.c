#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/http.h"
#include "wire.h"

/*
 * Streams note each call in `calls`: b(egin), d(ata), h(andle), e(nd). `ended` tells that end() was
 * called, `gate` holds a handler until the test lets it go.
 */
static struct wire_address address;
static struct http_server *server;
static pthread_mutex_t calls_lock = PTHREAD_MUTEX_INITIALIZER;
static char calls[64];
static uint64_t data_bytes;
static sem_t begun, ended, held, gate;
static bool refuse_begin, refuse_data;

static void note(char call)
{
	pthread_mutex_lock(&calls_lock);
	size_t length = strlen(calls);

	if (length + 1 < sizeof(calls) && (length == 0 || calls[length - 1] != call))
		calls[length] = call;
	pthread_mutex_unlock(&calls_lock);
}

static int stream_begin(struct http_request *request, struct err *err)
{
	note('b');
	http_set_context(request, calls);
	sem_post(&begun);
	return refuse_begin ? err_set(err, ERR_DENIED, "not you") : 0;
}

static int stream_data(struct http_request *request, const char *bytes, size_t length,
		       struct err *err)
{
	note('d');
	data_bytes += length;
	return refuse_data ? err_set(err, ERR_INVALID, "bad bytes") : 0;
}

static void stream_end(struct http_request *request)
{
	assert_ptr_equal(http_context(request), calls);
	note('e');
	sem_post(&ended);
}

static int stream_handle(struct http_request *request, struct http_answer *answer, struct err *err)
{
	note('h');
	http_body_take(answer, "text/plain", mem_format("%llu", (unsigned long long)data_bytes),
		       (size_t)snprintf(NULL, 0, "%llu", (unsigned long long)data_bytes));
	return 0;
}

static const struct http_stream stream = {
	.begin = stream_begin, .data = stream_data, .end = stream_end};

static int hello(struct http_request *request, struct http_answer *answer, struct err *err)
{
	http_body_take(answer, "text/plain", mem_text("hello"), 5);
	return 0;
}

static int hold(struct http_request *request, struct http_answer *answer, struct err *err)
{
	sem_post(&held);
	while (sem_wait(&gate) < 0)
		;
	return hello(request, answer, err);
}

/* Longer than the connection may be idle, which libmicrohttpd counts in seconds. */
static int dawdle(struct http_request *request, struct err *err)
{
	usleep(1100 * 1000);
	return 0;
}

static int ignore_data(struct http_request *request, const char *bytes, size_t length,
		       struct err *err)
{
	return 0;
}

static const struct http_stream slow_stream = {.begin = dawdle, .data = ignore_data};

static int big_file(struct http_request *request, struct http_answer *answer, struct err *err)
{
	int fd = memfd_create("big", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	http_body_file(answer, "application/octet-stream", fd, 0, 64 << 20);
	return 0;
}

static void say_error(const struct http_request *request, const struct err *err,
		      struct http_answer *answer)
{
	http_status(answer, err->kind == ERR_TOO_LARGE  ? 413
			    : err->kind == ERR_NO_ROUTE ? 404
			    : err->kind == ERR_DENIED   ? 403
							: 400);
	http_body_take(answer, "text/plain", mem_text(err->text), strlen(err->text));
}

static const struct http_route routes[] = {
	{.method = HTTP_GET, .pattern = "/hello", .handle = hello},
	{.method = HTTP_GET, .pattern = "/hold", .handle = hold},
	{.method = HTTP_GET, .pattern = "/big", .handle = big_file},
	{.method = HTTP_POST, .pattern = "/small", .body_max = 10, .handle = hello},
	{.method = HTTP_PUT,
	 .pattern = "/stream",
	 .body_max = 1 << 20,
	 .stream = &stream,
	 .handle = stream_handle},
	{.method = HTTP_PUT,
	 .pattern = "/slow-stream",
	 .body_max = 10,
	 .stream = &slow_stream,
	 .handle = hello},
};

static void start_with(unsigned connection_max, unsigned idle_s)
{
	struct http_config config = {
		.listen_fd = wire_listen(&address),
		.routes = routes,
		.route_count = sizeof(routes) / sizeof(*routes),
		.connection_max = connection_max,
		.idle_s = idle_s,
		.fail = say_error,
	};
	struct err err = ERR_INIT;

	assert_int_equal(http_server_start(&config, &server, &err), 0);
}

static int start(void **state)
{
	memset(calls, 0, sizeof(calls));
	data_bytes = 0;
	refuse_begin = refuse_data = false;
	sem_init(&begun, 0, 0);
	sem_init(&ended, 0, 0);
	sem_init(&held, 0, 0);
	sem_init(&gate, 0, 0);
	start_with(0, 0);
	return 0;
}

static int start_small(void **state)
{
	start(state);
	http_server_stop(server, 0);
	start_with(2, 1);
	return 0;
}

static int stop(void **state)
{
	http_server_stop(server, 5000);
	return 0;
}

static void wait_for(sem_t *event)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	assert_int_equal(sem_timedwait(event, &until), 0);
}

static void assert_calls(const char *expected)
{
	pthread_mutex_lock(&calls_lock);
	assert_string_equal(calls, expected);
	pthread_mutex_unlock(&calls_lock);
}

static void assert_answer(const char *answer, const char *status, const char *body)
{
	assert_memory_equal(answer + strlen("HTTP/1.1 "), status, 3);
	assert_string_equal(wire_body(answer), body);
}

static void keeps_a_connection_alive(void **state)
{
	owned(close) int fd = wire_connect(&address);

	for (int i = 0; i < 3; i++) {
		owned(free) char *answer = NULL;

		wire_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		answer = wire_read_answer(fd, 0);
		assert_answer(answer, "200", "hello");
	}
	wire_send(fd, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	owned(free) char *head = wire_read_answer(fd, 1);

	assert_answer(head, "200", "");
	wire_send(fd, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
	owned(free) char *missing = wire_read_answer(fd, 0);

	assert_answer(missing, "404", "nothing is served at this address");
	wire_send(fd, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
	owned(free) char *posted = wire_read_answer(fd, 0);

	assert_answer(posted, "200", "hello");
}

static void answers_pipelined_requests_in_order(void **state)
{
	owned(close) int fd = wire_connect(&address);

	wire_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
		      "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
	owned(free) char *one = wire_read_answer(fd, 0);
	owned(free) char *other = wire_read_answer(fd, 0);

	assert_answer(one, "200", "hello");
	assert_answer(other, "404", "nothing is served at this address");
}

static void calls_a_stream_in_order(void **state)
{
	owned(close) int fd = wire_connect(&address);
	owned(free) char *bytes = mem_alloc(300000);

	wire_send(fd, "PUT /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
	wire_send_n(fd, bytes, 300000);
	owned(free) char *answer = wire_read_answer(fd, 0);

	assert_answer(answer, "200", "300000");
	wait_for(&ended);
	assert_calls("bdhe");
}

static void streams_chunks(void **state)
{
	owned(close) int fd = wire_connect(&address);

	wire_send(fd, "PUT /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	wire_send(fd, "5\r\nabcde\r\n");
	wire_send(fd, "3\r\nfgh\r\n0\r\n\r\n");
	owned(free) char *answer = wire_read_answer(fd, 0);

	assert_answer(answer, "200", "8");
	wait_for(&ended);
	assert_calls("bdhe");
}

static void says_continue_before_a_body(void **state)
{
	owned(close) int fd = wire_connect(&address);

	wire_send(fd, "PUT /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
		      "Expect: 100-continue\r\n\r\n");
	owned(free) char *go = wire_read_until(fd, "\r\n\r\n");

	assert_string_equal(go, "HTTP/1.1 100 Continue\r\n\r\n");
	wire_send(fd, "abcde");
	owned(free) char *answer = wire_read_answer(fd, 0);

	assert_answer(answer, "200", "5");
}

static void refuses_before_a_body_that_is_not_sent_yet(void **state)
{
	refuse_begin = true;
	owned(free) char *answer =
		wire_ask(&address, "PUT /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n"
				   "Expect: 100-continue\r\n\r\n");

	assert_answer(answer, "403", "not you");
	wait_for(&ended);
	assert_calls("be");
}

static void drains_a_body_after_begin_failed(void **state)
{
	owned(close) int fd = wire_connect(&address);
	owned(free) char *bytes = mem_alloc(500000);

	refuse_begin = true;
	wire_send(fd, "PUT /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
	wire_send_n(fd, bytes, 500000);
	owned(free) char *answer = wire_read_answer(fd, 0);

	assert_answer(answer, "403", "not you");
	wait_for(&ended);
	assert_calls("be");
	wire_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	owned(free) char *next = wire_read_answer(fd, 0);

	assert_answer(next, "200", "hello");
}

static void drains_a_body_after_data_failed(void **state)
{
	owned(close) int fd = wire_connect(&address);
	owned(free) char *bytes = mem_alloc(500000);

	refuse_data = true;
	wire_send(fd, "PUT /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
	wire_send_n(fd, bytes, 500000);
	owned(free) char *answer = wire_read_answer(fd, 0);

	assert_answer(answer, "400", "bad bytes");
	wait_for(&ended);
	assert_calls("bde");
	assert_true(data_bytes < 500000);
}

static void refuses_large_bodies(void **state)
{
	owned(close) int fd = wire_connect(&address);
	static const char text[] = "the body is larger than 10 bytes, which are accepted here";

	wire_send(fd, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n12345678901");
	owned(free) char *announced = wire_read_answer(fd, 0);

	assert_answer(announced, "413", text);
	wire_send(fd, "POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		      "6\r\n123456\r\n5\r\n78901\r\n0\r\n\r\n");
	owned(free) char *counted = wire_read_answer(fd, 0);

	assert_answer(counted, "413", text);
	wire_send(fd, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1234567890");
	owned(free) char *fits = wire_read_answer(fd, 0);

	assert_answer(fits, "200", "hello");
}

static void a_large_stream_never_begins(void **state)
{
	owned(close) int fd = wire_connect(&address);

	wire_send(fd, "PUT /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n"
		      "Expect: 100-continue\r\n\r\n");
	owned(free) char *answer = wire_read_all(fd);

	assert_memory_equal(answer, "HTTP/1.1 413", 12);
	assert_calls("");
}

static void ends_a_stream_whose_client_left(void **state)
{
	int fd = wire_connect(&address);

	wire_send(fd, "PUT /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
	wait_for(&begun); /* a request whose client left before it was read never begins */
	close(fd);
	wait_for(&ended);
	pthread_mutex_lock(&calls_lock);
	assert_true(!strcmp(calls, "bde") || !strcmp(calls, "be"));
	pthread_mutex_unlock(&calls_lock);
}

static void survives_a_client_that_leaves_a_download(void **state)
{
	for (int i = 0; i < 3; i++) {
		int fd = wire_connect(&address);
		owned(free) char *head = NULL;

		wire_send(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
		head = wire_read_until(fd, "\r\n\r\n");
		close(fd);
	}
	owned(free) char *answer =
		wire_ask(&address, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

	assert_answer(answer, "200", "hello");
}

static void sends_a_big_file_whole(void **state)
{
	owned(free) char *answer =
		wire_ask(&address, "GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	owned(free) char *length = wire_header(answer, "Content-Length");

	assert_string_equal(length, "67108864");
}

static void more_connections_wait_in_the_queue(void **state)
{
	owned(close) int one = wire_connect(&address);
	owned(close) int two = wire_connect(&address);
	owned(close) int three = -1;

	wire_send(one, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	wire_send(two, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(&held);
	wait_for(&held);
	three = wire_connect(&address);
	wire_send(three, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(wire_is_silent(three, 100));
	sem_post(&gate);
	sem_post(&gate);
	owned(free) char *answer_one = wire_read_answer(one, 0);

	close(take_fd(&one));
	owned(free) char *answer_three = wire_read_answer(three, 0);

	assert_answer(answer_one, "200", "hello");
	assert_answer(answer_three, "200", "hello");
}

static void the_time_of_a_handler_is_not_the_clients(void **state)
{
	owned(close) int fd = wire_connect(&address);

	wire_send(fd, "PUT /slow-stream HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
	owned(free) char *answer = wire_read_answer(fd, 0);

	assert_answer(answer, "200", "hello");
}

static void closes_idle_connections(void **state)
{
	owned(close) int fd = wire_connect(&address);

	wire_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	owned(free) char *answer = wire_read_all(fd);

	assert_non_null(strstr(answer, "hello"));
}

static void *let_go(void *arg)
{
	usleep(50 * 1000);
	sem_post(&gate);
	return NULL;
}

static void a_stop_lets_requests_end(void **state)
{
	owned(close) int fd = wire_connect(&address);
	owned(close) int idle = wire_connect(&address);
	pthread_t thread;

	wire_send(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(&held);
	pthread_create(&thread, NULL, let_go, NULL);
	http_server_stop(server, 20000);
	server = NULL;
	pthread_join(thread, NULL);
	owned(free) char *answer = wire_read_all(fd);
	owned(free) char *connection = wire_header(answer, "Connection");

	assert_answer(answer, "200", "hello");
	assert_string_equal(connection, "close");
	owned(free) char *nothing = wire_read_all(idle);

	assert_string_equal(nothing, "");
}

static void a_stop_leaves_other_copies_of_the_socket_alone(void **state)
{
	struct wire_address kept_address;
	owned(close) int kept = wire_listen(&kept_address);
	struct http_config config = {
		.listen_fd = fcntl(kept, F_DUPFD_CLOEXEC, 0),
		.routes = routes,
		.route_count = sizeof(routes) / sizeof(*routes),
		.fail = say_error,
	};
	struct http_server *first, *second;
	struct err err = ERR_INIT;
	owned(close) int waiting = -1;

	assert_int_equal(http_server_start(&config, &first, &err), 0);
	http_server_stop(first, 0);
	waiting = wire_connect(&kept_address);
	wire_send(waiting, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	config.listen_fd = fcntl(kept, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(http_server_start(&config, &second, &err), 0);
	owned(free) char *answer = wire_read_answer(waiting, 0);

	assert_answer(answer, "200", "hello");
	http_server_stop(second, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_a_connection_alive, start, stop),
		cmocka_unit_test_setup_teardown(answers_pipelined_requests_in_order, start, stop),
		cmocka_unit_test_setup_teardown(calls_a_stream_in_order, start, stop),
		cmocka_unit_test_setup_teardown(streams_chunks, start, stop),
		cmocka_unit_test_setup_teardown(says_continue_before_a_body, start, stop),
		cmocka_unit_test_setup_teardown(refuses_before_a_body_that_is_not_sent_yet, start,
						stop),
		cmocka_unit_test_setup_teardown(drains_a_body_after_begin_failed, start, stop),
		cmocka_unit_test_setup_teardown(drains_a_body_after_data_failed, start, stop),
		cmocka_unit_test_setup_teardown(refuses_large_bodies, start, stop),
		cmocka_unit_test_setup_teardown(a_large_stream_never_begins, start, stop),
		cmocka_unit_test_setup_teardown(ends_a_stream_whose_client_left, start, stop),
		cmocka_unit_test_setup_teardown(survives_a_client_that_leaves_a_download, start,
						stop),
		cmocka_unit_test_setup_teardown(sends_a_big_file_whole, start, stop),
		cmocka_unit_test_setup_teardown(more_connections_wait_in_the_queue, start_small,
						stop),
		cmocka_unit_test_setup_teardown(the_time_of_a_handler_is_not_the_clients,
						start_small, stop),
		cmocka_unit_test_setup_teardown(closes_idle_connections, start_small, stop),
		cmocka_unit_test_setup_teardown(a_stop_lets_requests_end, start, stop),
		cmocka_unit_test_setup_teardown(a_stop_leaves_other_copies_of_the_socket_alone,
						start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
