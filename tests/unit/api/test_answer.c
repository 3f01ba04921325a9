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

static void a_text_is_quoted_as_json(void **state)
{
	static const struct {
		const char *text;
		const char *json;
	} cases[] = {
		{"", "\"\""},
		{"plain text", "\"plain text\""},
		{"\"\\", "\"\\\"\\\\\""},
		{"a\nb\x01", "\"a\\nb\\u0001\""},
		{"caf\xc3\xa9", "\"caf\\u00E9\""},
		{"caf\xc3", "\"caf?\""},
		{"\x7f", "\"\x7f\""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		owned(str_done) struct str out = str_new(100);

		answer_add_string(&out, cases[i].text);
		assert_string_equal(out.data, cases[i].json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_for_a_header_is_plain_ascii),
		cmocka_unit_test(a_line_for_a_header_has_a_limit),
		cmocka_unit_test(a_text_that_is_no_utf8_is_still_told),
		cmocka_unit_test(a_time_has_milliseconds_and_ends_in_z),
		cmocka_unit_test(a_text_is_quoted_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
