#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "http/follow.h"
#include "wire.h"

enum { KEEPALIVE_MS = 300 };

#define ID          "0123456789abcdef01234567"
#define SPACE       ID "/logs"
#define STAMP       "2026-01-02T03:04:05.678901234+00:00 "
#define EVENT(text) "data: {\"data\":\"" text "\",\"timestamp\":\"2026-01-02T03:04:05.678Z\"}\n\n"

static struct wire_address address;
static struct follow_server *server;
static char root_path[64];
static int root_fd;
static struct feed *feed; /* what the ticket "good" is for, once */

static struct feed *claim(void *arg, const char *ticket)
{
	struct feed **given = arg;

	return strcmp(ticket, "good") == 0 ? take(*given) : NULL;
}

static void start_with(unsigned keepalive_ms)
{
	struct follow_config config = {
		.listen_fd = wire_listen(&address),
		.root_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0),
		.keepalive_ms = keepalive_ms,
		.claim = claim,
		.arg = &feed,
	};
	struct err err = ERR_INIT;

	assert_int_equal(follow_server_start(&config, &server, &err), 0);
}

static int make_root(void)
{
	struct err err = ERR_INIT;

	snprintf(root_path, sizeof(root_path), "/tmp/espace-test-follow-XXXXXX");
	assert_non_null(mkdtemp(root_path));
	root_fd = open(root_path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_make_dirs(root_fd, SPACE, 0700, &err), 0);
	return 0;
}

/* Keep-alives as in life: none comes while a test runs. */
static int start(void **state)
{
	make_root();
	start_with(0);
	return 0;
}

static int start_lively(void **state)
{
	make_root();
	start_with(KEEPALIVE_MS);
	return 0;
}

static int stop(void **state)
{
	struct err err = ERR_INIT;

	follow_server_stop(server);
	close(root_fd);
	return file_remove_tree(AT_FDCWD, root_path, &err);
}

static void append(const char *path, const char *bytes)
{
	owned(close) int fd =
		openat(root_fd, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct err err = ERR_INIT;

	assert_true(fd >= 0);
	assert_int_equal(file_put(fd, bytes, strlen(bytes), &err), 0);
}

static int follow(const char *path)
{
	owned(free) char *text =
		mem_format("GET /follow/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	int fd = wire_connect(&address);

	wire_send(fd, text);
	return fd;
}

static void assert_next(int fd, const char *needle)
{
	free(wire_read_until(fd, needle));
}

static void assert_header(const char *answer, const char *name, const char *expected)
{
	owned(free) char *value = wire_header(answer, name);

	assert_non_null(value);
	assert_string_equal(value, expected);
}

static void headers_come_at_once(void **state)
{
	owned(close) int fd = follow(ID "/logs/run-1.log");
	owned(free) char *head = wire_read_until(fd, "\r\n\r\n");
	owned(free) char *date = wire_header(head, "Date");
	owned(free) char *id = wire_header(head, "X-Request-Id");

	assert_memory_equal(head, "HTTP/1.1 200", 12);
	assert_header(head, "Content-Type", "text/event-stream; charset=utf-8");
	assert_header(head, "Cache-Control", "no-cache");
	assert_header(head, "X-Accel-Buffering", "no");
	assert_header(head, "Transfer-Encoding", "chunked");
	assert_non_null(date);
	assert_memory_equal(id, "Root=1-", 7);
}

static void sends_the_backlog_then_lives(void **state)
{
	owned(close) int fd = -1;

	append(SPACE "/run-1.log", STAMP "stdout F one\n" STAMP "stdout P t");
	fd = follow(ID "/logs/run-1.log");
	assert_next(fd, EVENT("one\\n"));
	append(SPACE "/run-1.log", "w\n" STAMP "stdout F o\n");
	assert_next(fd, EVENT("two\\n"));
	append(SPACE "/run-1.log", STAMP "stdout F three\xe2\x80\xa8\xc2\x85\n");
	assert_next(fd, EVENT("three\\u2028\\u0085\\n"));
}

static void ends_regularly(void **state)
{
	owned(close) int fd = -1;

	append(SPACE "/build-1.log", STAMP "stdout F one\n");
	fd = follow(ID "/logs/build-1.log");
	assert_next(fd, EVENT("one\\n"));
	append(SPACE "/build-1.log", STAMP "stdout F last\n");
	append(SPACE "/build-1.log.end", "");
	assert_next(fd, EVENT("last\\n") "\r\n0\r\n\r\n");
	/* and the connection serves the next request */
	wire_send(fd, "GET /follow/" ID "/logs/build-1.log HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_next(fd, EVENT("one\\n") EVENT("last\\n") "\r\n0\r\n\r\n");
}

static void waits_for_what_is_missing(void **state)
{
	static const char late[] = "fedcba9876543210fedcba98";
	owned(close) int in_dir = follow(ID "/logs/run-7.log");
	owned(close) int no_dir = follow("fedcba9876543210fedcba98/logs/run-1.log");
	owned(free) char *dir = mem_format("%s/logs", late);
	owned(free) char *log = mem_format("%s/logs/run-1.log", late);
	struct err err = ERR_INIT;

	assert_next(in_dir, "\r\n\r\n");
	assert_next(no_dir, "\r\n\r\n");
	append(SPACE "/run-7.log", STAMP "stdout F here\n");
	assert_next(in_dir, EVENT("here\\n"));
	assert_int_equal(file_make_dirs(root_fd, dir, 0700, &err), 0);
	append(log, STAMP "stdout F late\n");
	assert_next(no_dir, EVENT("late\\n"));
}

static void begins_with_the_last_lines(void **state)
{
	owned(close) int fd = -1;

	append(SPACE "/run-1.log", STAMP "stdout F one\n" STAMP "stdout F two\n");
	fd = follow(ID "/logs/run-1.log?tail=1");
	owned(free) char *answer = wire_read_until(fd, EVENT("two\\n"));

	assert_null(strstr(answer, "one"));
}

static void everybody_hears_everything(void **state)
{
	enum { CLIENTS = 20, LINES = 50 };
	int fds[CLIENTS];

	for (int i = 0; i < CLIENTS; i++)
		fds[i] = follow(ID "/logs/run-1.log");
	for (int i = 0; i < LINES; i++) {
		owned(free) char *line = mem_format(STAMP "stdout F line %d\n", i);

		append(SPACE "/run-1.log", line);
	}
	append(SPACE "/run-1.log.end", "");
	for (int i = 0; i < CLIENTS; i++) {
		owned(free) char *answer = wire_read_until(fds[i], "\r\n0\r\n\r\n");
		const char *at = answer;

		for (int j = 0; j < LINES; j++) {
			owned(free) char *line = mem_format("line %d\\n", j);

			at = strstr(at, line);
			assert_non_null(at);
		}
		close(fds[i]);
	}
}

static void is_silent_while_nothing_happens(void **state)
{
	owned(close) int fd = follow(ID "/logs/run-1.log");

	assert_next(fd, "\r\n\r\n");
	assert_true(wire_is_silent(fd, 2 * KEEPALIVE_MS));
}

static void says_that_it_lives(void **state)
{
	owned(close) int fd = follow(ID "/logs/run-1.log");
	int64_t since_ms;

	assert_next(fd, "\r\n\r\n");
	for (int i = 0; i < 2; i++) {
		since_ms = clock_mono_ms();
		assert_next(fd, ": keep-alive\n\n");
		assert_true(clock_mono_ms() - since_ms >= KEEPALIVE_MS - 50);
	}
	append(SPACE "/run-1.log", STAMP "stdout F one\n");
	assert_next(fd, EVENT("one\\n"));
}

static unsigned open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void notices_a_client_that_left(void **state)
{
	unsigned before;
	int64_t deadline_ms = clock_mono_ms() + 20000;
	int fd;

	append(SPACE "/run-1.log", STAMP "stdout F one\n");
	before = open_fds();
	fd = follow(ID "/logs/run-1.log");
	assert_next(fd, EVENT("one\\n"));
	assert_true(open_fds() > before + 1);
	close(fd);
	while (open_fds() > before)
		assert_true(clock_mono_ms() < deadline_ms && usleep(1000) == 0);
}

static void a_removed_log_ends_its_streams(void **state)
{
	owned(close) int fd = -1;
	struct err err = ERR_INIT;

	append(SPACE "/run-1.log", STAMP "stdout F one\n");
	fd = follow(ID "/logs/run-1.log");
	assert_next(fd, EVENT("one\\n"));
	assert_int_equal(file_remove_tree(root_fd, ID, &err), 0);
	assert_next(fd, "0\r\n\r\n");
}

static void a_stop_cuts_streams(void **state)
{
	owned(close) int fd = -1;

	append(SPACE "/run-1.log", STAMP "stdout F one\n");
	fd = follow(ID "/logs/run-1.log");
	assert_next(fd, EVENT("one\\n"));
	follow_server_stop(server);
	server = NULL;
	owned(free) char *rest = wire_read_all(fd);

	assert_string_equal(rest, "\r\n"); /* the end of the chunk, not of the stream */
}

static void none_is_an_empty_stream(void **state)
{
	owned(free) char *answer = wire_ask(
		&address, "GET /follow/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

	assert_memory_equal(answer, "HTTP/1.1 200", 12);
	assert_header(answer, "Content-Type", "text/event-stream; charset=utf-8");
	assert_string_equal(wire_body(answer), "");
}

static void assert_refused(const char *line, const char *status)
{
	owned(free) char *text =
		mem_format("%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", line);
	owned(free) char *answer = wire_ask(&address, text);

	assert_memory_equal(answer + strlen("HTTP/1.1 "), status, 3);
}

static void serves_nothing_else(void **state)
{
	assert_refused("GET /", "404");
	assert_refused("GET /follow/", "404");
	assert_refused("GET /follow/" ID, "404");
	assert_refused("GET /follow/" ID "/logs/run-1.log.end", "404");
	assert_refused("GET /follow/" ID "/logs/run-.log", "404");
	assert_refused("GET /follow/" ID "/logs/other-1.log", "404");
	assert_refused("GET /follow/" ID "/logs/../logs/run-1.log", "404");
	assert_refused("GET /follow/0123456789ABCDEF01234567/logs/run-1.log", "404");
	assert_refused("GET /follow/" ID "/logs/run-11111111111111111111111111111111.log", "404");
	assert_refused("POST /follow/none", "405");
}

/* The feed of a stream; the test has the other reference. */
static struct feed *offer_feed(void)
{
	feed = feed_new();
	return feed_ref(feed);
}

static void a_feed_is_sent_as_it_grows(void **state)
{
	owned(feed_unref) struct feed *mine = offer_feed();
	owned(close) int fd = -1;

	feed_add(mine, "retry: 1\n\ndata: 1\n\n");
	fd = follow("feed/good");
	assert_next(fd, "data: 1\n\n");
	feed_add(mine, "data: 2\n\n");
	assert_next(fd, "data: 2\n\n");
	feed_end(mine);
	assert_next(fd, "\r\n0\r\n\r\n");
}

static void a_ticket_is_good_for_once(void **state)
{
	owned(feed_unref) struct feed *mine = offer_feed();
	owned(close) int first = follow("feed/good");
	owned(close) int second = -1;
	owned(close) int other = follow("feed/bad");

	assert_next(first, "HTTP/1.1 200");
	second = follow("feed/good");
	assert_next(second, "HTTP/1.1 404");
	assert_next(other, "HTTP/1.1 404");
}

static void a_feed_hears_that_its_client_has_gone(void **state)
{
	owned(feed_unref) struct feed *mine = offer_feed();
	int fd = follow("feed/good");
	int64_t until_ms = clock_mono_ms() + 10000;

	feed_add(mine, "data: 1\n\n");
	assert_next(fd, "data: 1\n\n");
	close(fd);
	while (!feed_is_left(mine) && clock_mono_ms() < until_ms)
		sched_yield();
	assert_true(feed_is_left(mine));
}

static void a_feed_is_kept_alive(void **state)
{
	owned(feed_unref) struct feed *mine = offer_feed();
	owned(close) int fd = follow("feed/good");

	assert_next(fd, ": keep-alive\n\n");
}

static void a_client_that_lags_behind_is_cut(void **state)
{
	owned(feed_unref) struct feed *mine = offer_feed();
	owned(free) char *much = mem_format("data: %0*d\n\n", FEED_MAX_BYTES, 1);
	owned(close) int fd = follow("feed/good");
	char byte;

	assert_next(fd, "\r\n\r\n");
	feed_add(mine, much);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(headers_come_at_once, start, stop),
		cmocka_unit_test_setup_teardown(sends_the_backlog_then_lives, start, stop),
		cmocka_unit_test_setup_teardown(ends_regularly, start, stop),
		cmocka_unit_test_setup_teardown(waits_for_what_is_missing, start, stop),
		cmocka_unit_test_setup_teardown(begins_with_the_last_lines, start, stop),
		cmocka_unit_test_setup_teardown(everybody_hears_everything, start, stop),
		cmocka_unit_test_setup_teardown(is_silent_while_nothing_happens, start, stop),
		cmocka_unit_test_setup_teardown(says_that_it_lives, start_lively, stop),
		cmocka_unit_test_setup_teardown(notices_a_client_that_left, start, stop),
		cmocka_unit_test_setup_teardown(a_removed_log_ends_its_streams, start, stop),
		cmocka_unit_test_setup_teardown(a_stop_cuts_streams, start, stop),
		cmocka_unit_test_setup_teardown(none_is_an_empty_stream, start, stop),
		cmocka_unit_test_setup_teardown(serves_nothing_else, start, stop),
		cmocka_unit_test_setup_teardown(a_feed_is_sent_as_it_grows, start, stop),
		cmocka_unit_test_setup_teardown(a_ticket_is_good_for_once, start, stop),
		cmocka_unit_test_setup_teardown(a_feed_hears_that_its_client_has_gone, start, stop),
		cmocka_unit_test_setup_teardown(a_feed_is_kept_alive, start_lively, stop),
		cmocka_unit_test_setup_teardown(a_client_that_lags_behind_is_cut, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
