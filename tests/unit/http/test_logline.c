#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/logline.h"

static bool parse(const char *line, struct logline *out)
{
	return logline_parse(line, strlen(line), out);
}

static void reads_what_conmon_writes(void **state)
{
	struct logline line;

	assert_true(parse("2026-11-24T18:48:19.358791030+00:00 stdout F Hello  there", &line));
	assert_int_equal(line.wall_ms, 1795546099358);
	assert_false(line.is_stderr);
	assert_false(line.is_partial);
	assert_int_equal(line.length, strlen("Hello  there"));
	assert_memory_equal(line.text, "Hello  there", line.length);

	assert_true(parse("2026-11-24T18:48:19.358791030+00:00 stderr P x", &line));
	assert_true(line.is_stderr);
	assert_true(line.is_partial);

	assert_true(parse("2026-11-24T18:48:19.358791030+00:00 stdout F ", &line));
	assert_int_equal(line.length, 0);
}

static void knows_other_zones(void **state)
{
	struct logline line;

	assert_true(parse("2026-11-24T20:18:19.358+01:30 stdout F x", &line));
	assert_int_equal(line.wall_ms, 1795546099358);
	assert_true(parse("2026-11-24T17:48:19.3-01:00 stdout F x", &line));
	assert_int_equal(line.wall_ms, 1795546099300);
	assert_true(parse("2026-11-24T18:48:19Z stdout F x", &line));
	assert_int_equal(line.wall_ms, 1795546099000);
}

static void refuses_everything_else(void **state)
{
	static const char *const broken[] = {
		"",
		"Traceback",
		"2026-11-24T18:48:19.358791030+00:00",
		"2026-11-24T18:48:19.358791030+00:00 stdout",
		"2026-11-24T18:48:19.358791030+00:00 stdout F",
		"2026-11-24T18:48:19.358791030+00:00 stdout X y",
		"2026-11-24T18:48:19.358791030+00:00 stdlog F y",
		"2026-13-24T18:48:19.358791030+00:00 stdout F y",
		"2026-11-24T25:48:19.358791030+00:00 stdout F y",
		"2026-11-24T18:48:19. stdout F y",
		"2026-11-24 18:48:19.3Z stdout F y",
	};
	struct logline line;

	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		assert_false(parse(broken[i], &line));
	/* the end of the line is where it is said to be */
	assert_false(logline_parse("2026-11-24T18:48:19Z stdout F x", 20, &line));
}

static char *written(const char *text)
{
	owned(close) int fd = memfd_create("log", MFD_CLOEXEC);
	struct err err = ERR_INIT;
	char *bytes = mem_alloc(65536);

	assert_int_equal(logline_write(fd, text, &err), 0);
	assert_true(pread(fd, bytes, 65535, 0) > 0);
	return bytes;
}

static void writes_what_it_reads(void **state)
{
	owned(free) char *bytes = written("Building");
	struct logline line;
	int64_t now_ms = clock_wall_ms();

	assert_int_equal(bytes[strlen(bytes) - 1], '\n');
	bytes[strlen(bytes) - 1] = '\0';
	assert_true(parse(bytes, &line));
	assert_true(line.wall_ms <= now_ms && line.wall_ms > now_ms - 60000);
	assert_false(line.is_stderr);
	assert_false(line.is_partial);
	assert_string_equal(line.text, "Building");
}

/* "F:text|" for each line that was written. */
static char *summary(const char *text)
{
	owned(free) char *bytes = written(text);
	char *out = mem_alloc(65536);
	char *rest = bytes, *row;

	while ((row = strsep(&rest, "\n")) && rest) {
		struct logline line;
		size_t length = strlen(out);

		assert_true(parse(row, &line));
		snprintf(out + length, 65536 - length, "%c:%s|", line.is_partial ? 'P' : 'F',
			 line.text);
	}
	return out;
}

static void several_lines_become_several(void **state)
{
	owned(free) char *two = summary("one\n\ntwo\n");
	owned(free) char *none = summary("");

	assert_string_equal(two, "F:one|F:|F:two|");
	assert_string_equal(none, "F:|");
}

static void a_long_line_is_written_in_parts(void **state)
{
	owned(free) char *text = mem_alloc(2 * LOGLINE_TEXT_MAX + 2);
	owned(free) char *got = NULL;

	memset(text, 'x', 2 * LOGLINE_TEXT_MAX + 1);
	got = summary(text);
	assert_memory_equal(got, "P:x", 3);
	assert_memory_equal(got + LOGLINE_TEXT_MAX + 2, "|P:x", 4);
	assert_string_equal(got + 2 * (LOGLINE_TEXT_MAX + 3) - 1, "|F:x|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_conmon_writes),
		cmocka_unit_test(knows_other_zones),
		cmocka_unit_test(refuses_everything_else),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(several_lines_become_several),
		cmocka_unit_test(a_long_line_is_written_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
