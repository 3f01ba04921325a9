#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "runner/toml.h"

static void expect(const char *variable, const char *line)
{
	owned(str_done) struct str out = str_new(1024);
	struct err err = ERR_INIT;

	toml_add(&out, variable);
	assert_int_equal(str_check(&out, "line", &err), 0);
	assert_string_equal(out.data, line);
}

static void a_value_is_a_string_on_one_line(void **state)
{
	expect("TOKEN=hf_abc", "TOKEN = \"hf_abc\"\n");
	expect("EMPTY=", "EMPTY = \"\"\n");
	expect("EQUALS=a=b", "EQUALS = \"a=b\"\n");
	expect("LINES=a\nb\r\n", "LINES = \"a\\nb\\u000D\\n\"\n");
	expect("WORDS=[x] # {y} '''", "WORDS = \"[x] # {y} '''\"\n");
	expect("HEART=\xe2\x9d\xa4", "HEART = \"\xe2\x9d\xa4\"\n");
}

static void no_value_ends_its_string(void **state)
{
	expect("A=\"\nB = \"1", "A = \"\\\"\\nB = \\\"1\"\n");
	expect("A=\\", "A = \"\\\\\"\n");
	expect("A=\\\"", "A = \"\\\\\\\"\"\n");
	expect("A=\"\"\"", "A = \"\\\"\\\"\\\"\"\n");
}

static void every_other_control_character_is_a_number(void **state)
{
	for (unsigned char c = 1; c <= 0x7f; c++) {
		const char variable[] = {'A', '=', (char)c, '\0'};
		owned(str_done) struct str out = str_new(64);
		char number[16];

		if (c == '\n' || (c >= ' ' && c < 0x7f))
			continue;
		snprintf(number, sizeof(number), "A = \"\\u%04X\"\n", c);
		toml_add(&out, variable);
		assert_string_equal(out.data, number);
		assert_true(out.length - strlen("A = \"\"\n") <= TOML_GROWTH_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_a_string_on_one_line),
		cmocka_unit_test(no_value_ends_its_string),
		cmocka_unit_test(every_other_control_character_is_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
