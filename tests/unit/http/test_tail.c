#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/logline.h"
#include "http/tail.h"

static char root_path[64];
static int root_fd;

#define SPACE "0123456789abcdef01234567/logs"
#define STAMP "2026-01-02T03:04:05.678901234+00:00 "

static int make_root(void **state)
{
	struct err err = ERR_INIT;

	snprintf(root_path, sizeof(root_path), "/tmp/espace-test-tail-XXXXXX");
	assert_non_null(mkdtemp(root_path));
	root_fd = open(root_path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	assert_true(root_fd >= 0);
	assert_int_equal(file_make_dirs(root_fd, SPACE, 0700, &err), 0);
	return 0;
}

static int remove_root(void **state)
{
	struct err err = ERR_INIT;

	close(root_fd);
	assert_int_equal(file_remove_tree(AT_FDCWD, root_path, &err), 0);
	return 0;
}

static void append(const char *name, const char *bytes)
{
	owned(free) char *path = mem_format(SPACE "/%s", name);
	owned(close) int fd =
		openat(root_fd, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct err err = ERR_INIT;

	assert_true(fd >= 0);
	assert_int_equal(file_put(fd, bytes, strlen(bytes), &err), 0);
}

/* All that there is now, read in pieces of `max`, and the state behind it. For free(). */
static char *read_all(struct tail *tail, size_t max, enum tail_state *state)
{
	char *text = mem_alloc(1 << 20);
	size_t length = 0, piece;

	while ((*state = tail_read(tail, text + length, max, &piece)) == TAIL_DATA)
		length += piece;
	text[length] = '\0';
	return text;
}

static void assert_reads(struct tail *tail, const char *expected, enum tail_state expected_state)
{
	enum tail_state state;
	owned(free) char *text = read_all(tail, 1000, &state);

	assert_string_equal(text, expected);
	assert_int_equal(state, expected_state);
}

#define EVENT(text) "data: {\"data\":\"" text "\",\"timestamp\":\"2026-01-02T03:04:05.678Z\"}\n\n"

static void gives_the_backlog_then_what_is_added(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "run-1.log", TAIL_ALL);

	append("run-1.log", STAMP "stdout F one\n" STAMP "stderr F \n");
	assert_reads(tail, EVENT("one\\n") EVENT("\\n"), TAIL_WAIT);
	append("run-1.log", STAMP "stdout F th");
	assert_reads(tail, "", TAIL_WAIT);
	append("run-1.log", "ree\n");
	assert_reads(tail, EVENT("three\\n"), TAIL_WAIT);
	append("run-1.log.end", "");
	assert_reads(tail, "", TAIL_END);
	assert_reads(tail, "", TAIL_END);
}

static void joins_parts_by_stream(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "run-2.log", TAIL_ALL);

	append("run-2.log",
	       STAMP "stdout P a\n" STAMP "stderr P x\n" STAMP "stdout F b\n" STAMP "stderr F y\n");
	assert_reads(tail, EVENT("ab\\n") EVENT("xy\\n"), TAIL_WAIT);
}

static void shows_a_part_that_never_got_its_end(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "run-3.log", TAIL_ALL);

	append("run-3.log", STAMP "stdout P Killed");
	append("run-3.log.end", "");
	assert_reads(tail, EVENT("Killed"), TAIL_END);
}

static void is_pure_ascii(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "run-4.log", TAIL_ALL);

	append("run-4.log", STAMP "stdout F \xe2\x80\xa8\xc2\x85\xc3\xa9\xf0\x9f\x98\x80\n");
	append("run-4.log", STAMP "stdout F \"\\\r\t\x1b[0m\x7f\n");
	append("run-4.log", STAMP "stdout F a\xff\xe2\x80z\n");
	assert_reads(tail,
		     EVENT("\\u2028\\u0085\\u00e9\\ud83d\\ude00\\n")
			     EVENT("\\\"\\\\\\u000d\\u0009\\u001b[0m\\u007f\\n")
				     EVENT("a\\ufffd\\ufffd\\ufffdz\\n"),
		     TAIL_WAIT);
}

static void stamps_never_go_back(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "run-5.log", TAIL_ALL);

	append("run-5.log", STAMP "stdout F one\n2026-01-02T03:04:04Z stdout F two\n");
	assert_reads(tail, EVENT("one\\n") EVENT("two\\n"), TAIL_WAIT);
}

static void stamps_never_lie_ahead(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "run-6.log", TAIL_ALL);
	enum tail_state state_now;
	owned(free) char *text = NULL;
	char latest[CLOCK_STAMP_MAX];

	append("run-6.log", "9999-01-02T03:04:04Z stdout F one\n");
	text = read_all(tail, 1000, &state_now);
	clock_stamp(clock_wall_ms(), latest);
	assert_true(strcmp(strstr(text, "\"timestamp\":\"") + 13, latest) <= 0 ||
		    !strncmp(strstr(text, "\"timestamp\":\"") + 13, latest, strlen(latest)));
}

static void skips_lines_that_are_torn(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "run-7.log", TAIL_ALL);
	owned(free) char *lengthy = mem_alloc(100000);

	append("run-7.log", "2026-01-02T03:\n" STAMP "stdout F one\n");
	memset(lengthy, 'x', 99999);
	append("run-7.log", lengthy);
	append("run-7.log", "\n" STAMP "stdout F two\n");
	assert_reads(tail, EVENT("one\\n") EVENT("two\\n"), TAIL_WAIT);
}

static void an_endless_line_comes_in_pieces(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "run-8.log", TAIL_ALL);
	owned(free) char *part = mem_alloc(8193);
	owned(free) char *text = NULL;
	enum tail_state state_now;
	size_t events = 0, letters = 0;

	memset(part, 'x', 8192);
	for (int i = 0; i < 20; i++) {
		append("run-8.log", STAMP "stdout P ");
		append("run-8.log", part);
		append("run-8.log", "\n");
	}
	append("run-8.log", STAMP "stdout F end\n");
	text = read_all(tail, 1000, &state_now);
	for (const char *at = text; *at; at++) {
		events += str_starts(at, "data: {");
		letters += *at == 'x';
	}
	assert_int_equal(letters, 20 * 8192);
	assert_int_equal(events, 3);
	assert_non_null(strstr(text, "end\\n\",\"timestamp\""));
}

static void everybody_gets_the_same_bytes(void **state)
{
	owned(tail_free) struct tail *one = tail_new(root_fd, SPACE, "run-1.log", TAIL_ALL);
	owned(tail_free) struct tail *other = tail_new(root_fd, SPACE, "run-1.log", TAIL_ALL);
	enum tail_state state_now;
	owned(free) char *in_one = read_all(one, 65536, &state_now);
	owned(free) char *in_small = read_all(other, 7, &state_now);

	assert_string_equal(in_one, in_small);
}

static void waits_for_a_log_that_is_missing(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "run-9.log", TAIL_ALL);

	assert_reads(tail, "", TAIL_WAIT);
	assert_true(tail_dir_fd(tail) >= 0);
	append("run-9.log", STAMP "stdout F one\n");
	assert_reads(tail, EVENT("one\\n"), TAIL_WAIT);
}

static void waits_for_a_directory_that_is_missing(void **state)
{
	owned(tail_free) struct tail *tail =
		tail_new(root_fd, "fedcba9876543210fedcba98/logs", "run-1.log", TAIL_ALL);
	struct err err = ERR_INIT;

	assert_reads(tail, "", TAIL_WAIT);
	assert_int_equal(tail_dir_fd(tail), -1);
	assert_int_equal(file_make_dirs(root_fd, "fedcba9876543210fedcba98/logs", 0700, &err), 0);
	assert_reads(tail, "", TAIL_WAIT);
	assert_true(tail_dir_fd(tail) >= 0);
}

static void an_end_without_a_log_ends(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "build-1.log", TAIL_ALL);

	append("build-1.log.end", "");
	assert_reads(tail, "", TAIL_END);
}

static void a_removed_log_ends(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "build-2.log", TAIL_ALL);

	append("build-2.log", STAMP "stdout F one\n");
	assert_reads(tail, EVENT("one\\n"), TAIL_WAIT);
	assert_int_equal(unlinkat(root_fd, SPACE "/build-2.log", 0), 0);
	assert_reads(tail, "", TAIL_END);
}

static void follows_no_link(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "build-3.log", TAIL_ALL);

	append("target", STAMP "stdout F secret\n");
	assert_int_equal(symlinkat("target", root_fd, SPACE "/build-3.log"), 0);
	assert_reads(tail, "", TAIL_WAIT);
}

static void starts_with_the_last_lines(void **state)
{
	owned(tail_free) struct tail *none = tail_new(root_fd, SPACE, "build-4.log", 0);
	owned(tail_free) struct tail *two = tail_new(root_fd, SPACE, "build-4.log", 2);
	owned(tail_free) struct tail *many = tail_new(root_fd, SPACE, "build-4.log", 5000);
	owned(free) char *all = NULL;
	enum tail_state state_now;

	for (int i = 0; i < 100; i++)
		append("build-4.log",
		       STAMP "stdout P a rather long beginning, \n" STAMP
			     "stderr F an error in between\n" STAMP "stdout F and its end\n");
	assert_reads(none, "", TAIL_WAIT);
	assert_reads(two,
		     EVENT("an error in between\\n")
			     EVENT("a rather long beginning, and its end\\n"),
		     TAIL_WAIT);
	append("build-4.log", STAMP "stdout F new\n");
	assert_reads(none, EVENT("new\\n"), TAIL_WAIT);
	all = read_all(many, 1000, &state_now);
	assert_int_equal(strlen(all), 100 * strlen(EVENT("an error in between\\n") EVENT(
						    "a rather long beginning, and its end\\n")) +
					      strlen(EVENT("new\\n")));
}

static void follows_what_the_hub_writes(void **state)
{
	owned(tail_free) struct tail *tail = tail_new(root_fd, SPACE, "build-5.log", TAIL_ALL);
	owned(free) char *text = NULL;
	owned(close) int fd = -1;
	struct err err = ERR_INIT;
	enum tail_state state_now;

	append("build-5.log", "");
	fd = openat(root_fd, SPACE "/build-5.log", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(logline_write(fd, "Installing\nDone", &err), 0);
	text = read_all(tail, 1000, &state_now);
	assert_true(str_starts(text, "data: {\"data\":\"Installing\\n\",\"timestamp\":\"20"));
	assert_non_null(strstr(text, "Z\"}\n\ndata: {\"data\":\"Done\\n\",\"timestamp\":\"20"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_backlog_then_what_is_added),
		cmocka_unit_test(joins_parts_by_stream),
		cmocka_unit_test(shows_a_part_that_never_got_its_end),
		cmocka_unit_test(is_pure_ascii),
		cmocka_unit_test(stamps_never_go_back),
		cmocka_unit_test(stamps_never_lie_ahead),
		cmocka_unit_test(skips_lines_that_are_torn),
		cmocka_unit_test(an_endless_line_comes_in_pieces),
		cmocka_unit_test(everybody_gets_the_same_bytes),
		cmocka_unit_test(waits_for_a_log_that_is_missing),
		cmocka_unit_test(waits_for_a_directory_that_is_missing),
		cmocka_unit_test(an_end_without_a_log_ends),
		cmocka_unit_test(a_removed_log_ends),
		cmocka_unit_test(follows_no_link),
		cmocka_unit_test(starts_with_the_last_lines),
		cmocka_unit_test(follows_what_the_hub_writes),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
