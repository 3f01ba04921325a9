#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/flood.h"
#include "base/log.h"

static int saved_stderr;
static int ends[2];

static int capture(void **state)
{
	log_setup("hub", LOG_LEVEL_INFO);
	log_request(NULL);
	saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	/* Packets, so that each write is seen as one. */
	return pipe2(ends, O_CLOEXEC | O_DIRECT | O_NONBLOCK) < 0 ||
			       dup2(ends[1], STDERR_FILENO) < 0
		       ? -1
		       : 0;
}

static int restore(void **state)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* The next write, without the time in front of it; "" where there was none. */
static const char *next_line(void)
{
	static char line[8192];
	ssize_t length = read(ends[0], line, sizeof(line) - 1);

	if (length < 25)
		return "";
	line[length] = '\0';
	assert_int_equal(line[10], 'T');
	assert_int_equal(line[23], 'Z');
	return line + 25;
}

static void a_line_has_its_parts(void **state)
{
	log_info("space.stage", "space=%s to=%s", "me/demo", "RUNNING");
	assert_string_equal(next_line(), "info hub space.stage space=me/demo to=RUNNING\n");
	assert_string_equal(next_line(), ""); /* it was one write */
}

static void the_request_is_named(void **state)
{
	log_request("r-1");
	log_warn("api.slow", "ms=%d", 7);
	assert_string_equal(next_line(), "warn hub api.slow request=r-1 ms=7\n");
	log_request(NULL);
	log_error("api.slow", "ms=%d", 8);
	assert_string_equal(next_line(), "error hub api.slow ms=8\n");
}

static void levels_filter(void **state)
{
	log_debug("loop.round", "n=1");
	assert_string_equal(next_line(), "");
	log_setup("hub", LOG_LEVEL_DEBUG);
	log_debug("loop.round", "n=1");
	assert_string_equal(next_line(), "debug hub loop.round n=1\n");
	log_setup("hub", LOG_LEVEL_ERROR);
	log_warn("loop.round", "n=1");
	assert_string_equal(next_line(), "");
}

static void values_can_forge_no_line(void **state)
{
	log_request("r\nerror hub forged");
	log_info("user.add", "name=%s", "a\nerror hub forged x=1\r\t\x1b[2J\x7f\\n");
	assert_string_equal(next_line(),
			    "info hub user.add request=r\\nerror hub forged "
			    "name=a\\nerror hub forged x=1\\x0d\\x09\\x1b[2J\\x7f\\\\n\n");
	assert_string_equal(next_line(), "");
}

static void controls_of_two_bytes_are_escaped_and_letters_kept(void **state)
{
	log_info("user.add", "name=%s",
		 "\xc2\x9b"
		 "2J \xc3\xa9 \xc2\xa9 \xc2");
	assert_string_equal(next_line(), "info hub user.add name=\\x9b2J \xc3\xa9 \xc2\xa9 \xc2\n");
}

static void long_lines_are_cut_and_still_end(void **state)
{
	char text[6000];

	memset(text, '\n', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info("x.y", "%s", text);

	const char *line = next_line();

	assert_int_equal(strlen(line) + 25, 4096);
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	log_info("x.y", "%s", "next");
	assert_string_equal(next_line(), "info hub x.y next\n");
}

static void errno_survives(void **state)
{
	errno = EBUSY;
	log_info("x.y", "a=1");
	assert_int_equal(errno, EBUSY);
}

static void a_complaint_that_floods_the_log_is_held_back(void **state)
{
	unsigned warnings = 0;
	unsigned news = 0;

	for (unsigned i = 0; i < 100; i++) {
		log_warn("x.flood", "i=%u", i);
		warnings += *next_line() != '\0';
		log_info("x.news", "i=%u", i);
		news += *next_line() != '\0';
	}
	assert_int_equal(warnings, FLOOD_LINES);
	assert_int_equal(news, 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, capture, restore)
	const struct CMUnitTest tests[] = {
		TEST(a_line_has_its_parts),
		TEST(the_request_is_named),
		TEST(levels_filter),
		TEST(values_can_forge_no_line),
		TEST(controls_of_two_bytes_are_escaped_and_letters_kept),
		TEST(long_lines_are_cut_and_still_end),
		TEST(errno_survives),
		TEST(a_complaint_that_floods_the_log_is_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
