#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/words/usage.h"

/* What "test A B [--flag] [--text T] [--item I]..." was given. */
struct given {
	const char *names[2];
	bool flag;
	const char *text;
	struct usage_list items;
	struct err err;
};

static int parse(struct given *given, int argc, const char *const *argv)
{
	const struct usage_option options[] = {
		{"--flag", USAGE_FLAG, &given->flag},
		{"--text", USAGE_TEXT, &given->text},
		{"--item", USAGE_LIST, &given->items},
	};
	const struct usage usage = {"test A B", options, 3, given->names, 2};

	memset(given, 0, sizeof(*given));
	return usage_parse(&usage, argc, (char **)argv, &given->err);
}

#define PARSE(given, ...)                                                           \
	parse(given, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), \
	      (const char *const[]){__VA_ARGS__})

static void names_and_options_come_in_any_order(void **state)
{
	struct given given;

	assert_int_equal(PARSE(&given, "--item", "1", "a", "--text=t", "b", "--flag", "--item=2"),
			 0);
	assert_string_equal(given.names[0], "a");
	assert_string_equal(given.names[1], "b");
	assert_true(given.flag);
	assert_string_equal(given.text, "t");
	assert_int_equal(given.items.count, 2);
	assert_string_equal(given.items.values[0], "1");
	assert_string_equal(given.items.values[1], "2");
	assert_null(given.items.values[2]);
}

static void what_is_not_given_is_left_alone(void **state)
{
	struct given given;

	assert_int_equal(PARSE(&given, "a", "b"), 0);
	assert_false(given.flag);
	assert_null(given.text);
	assert_int_equal(given.items.count, 0);
}

static void two_dashes_end_the_options(void **state)
{
	struct given given;

	assert_int_equal(PARSE(&given, "--", "--flag", "--text"), 0);
	assert_string_equal(given.names[0], "--flag");
	assert_false(given.flag);
}

static void values_may_be_empty_or_look_like_options(void **state)
{
	struct given given;

	assert_int_equal(PARSE(&given, "a", "b", "--text=", "--item", "--flag"), 0);
	assert_string_equal(given.text, "");
	assert_string_equal(given.items.values[0], "--flag");
	assert_false(given.flag);
}

static void wrong_use_is_refused_with_the_usage(void **state)
{
	struct given given;
	static const char *const bad[][5] = {
		{"a"},
		{"a", "b", "c"},
		{"a", "b", "--wheel"},
		{"a", "b", "--flags"},
		{"a", "b", "--fla"},
		{"a", "b", "--flag=1"},
		{"a", "b", "--text"},
		{"a", "b", "--text=1", "--text=2"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int count = 0;

		while (count < 5 && bad[i][count])
			count++;
		assert_int_equal(parse(&given, count, bad[i]), -1);
		assert_int_equal(given.err.kind, ERR_INVALID);
		assert_non_null(strstr(given.err.text, "test A B"));
	}
}

static void a_list_has_an_end(void **state)
{
	static const char *argv[USAGE_LIST_MAX + 3];
	struct given given;

	for (size_t i = 0; i < USAGE_LIST_MAX + 3; i++)
		argv[i] = i < 2 ? "a" : "--item=x";
	assert_int_equal(parse(&given, USAGE_LIST_MAX + 2, argv), 0);
	assert_int_equal(given.items.count, USAGE_LIST_MAX);
	assert_int_equal(parse(&given, USAGE_LIST_MAX + 3, argv), -1);
	assert_int_equal(given.err.kind, ERR_INVALID);
}

static void the_last_names_may_be_optional(void **state)
{
	struct err err = ERR_INIT;
	const char *names[2] = {NULL, NULL};
	const struct usage usage = {"test A [B]", NULL, 0, names, 2, 1};

	assert_int_equal(usage_parse(&usage, 1, (char *[]){"a"}, &err), 0);
	assert_string_equal(names[0], "a");
	assert_null(names[1]);
	assert_int_equal(usage_parse(&usage, 0, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_options_come_in_any_order),
		cmocka_unit_test(what_is_not_given_is_left_alone),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(values_may_be_empty_or_look_like_options),
		cmocka_unit_test(wrong_use_is_refused_with_the_usage),
		cmocka_unit_test(a_list_has_an_end),
		cmocka_unit_test(the_last_names_may_be_optional),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
