#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/answer.h"
#include "api/limits.h"
#include "base/mem.h"
#include "base/own.h"

/* http.client of Python and others split headers at control characters and choke on the rest. */
static void a_line_for_a_header_is_plain_ascii(void **state)
{
	owned(free) char *line = answer_line("a\r\nSet-Cookie: x\tb\x7f \xc3\xa9");

	assert_string_equal(line, "a??Set-Cookie: x?b? ??");
}

static void a_line_for_a_header_has_a_limit(void **state)
{
	char text[LIMITS_MESSAGE * 2];
	owned(free) char *line = NULL;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	line = answer_line(text);
	assert_int_equal(strlen(line), LIMITS_MESSAGE);
}

/* 0.2x demands the fraction and the Z (Wire: 0.3). */
static void a_time_has_milliseconds_and_ends_in_z(void **state)
{
	json_t *stamp = answer_stamp(1767323045000);

	assert_string_equal(json_string_value(stamp), "2026-01-02T03:04:05.000Z");
	json_decref(stamp);
}

/* Errors are cut by bytes, and git knows no encoding. */
static void a_text_that_is_no_utf8_is_still_told(void **state)
{
	json_t *good = answer_string("caf\xc3\xa9");
	json_t *cut = answer_string("caf\xc3");

	assert_string_equal(json_string_value(good), "caf\xc3\xa9");
	assert_string_equal(json_string_value(cut), "caf?");
	json_decref(good);
	json_decref(cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_for_a_header_is_plain_ascii),
		cmocka_unit_test(a_line_for_a_header_has_a_limit),
		cmocka_unit_test(a_text_that_is_no_utf8_is_still_told),
		cmocka_unit_test(a_time_has_milliseconds_and_ends_in_z),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
