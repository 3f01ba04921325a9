#include "test.h"

#include <string.h>

#include "base/str.h"

static void an_empty_one_is_a_string(void **state)
{
	struct str str = str_new(10);

	assert_string_equal(str.data, "");
	assert_int_equal(str.length, 0);
	str_add(&str, "");
	str_addf(&str, "%s", "");
	assert_string_equal(str.data, "");
	str_done(&str);
	str_done(&str); /* twice does no harm */
}

static void appends_follow_each_other(void **state)
{
	owned(str_done) struct str str = str_new(1000);

	str_add(&str, "a");
	str_add_char(&str, 'b');
	str_add_n(&str, "cdef", 2);
	str_addf(&str, "-%d-%s", 5, "x");
	assert_string_equal(str.data, "abcd-5-x");
	assert_int_equal(str.length, 8);
}

static void grows_through_many_sizes(void **state)
{
	owned(str_done) struct str str = str_new(100000);
	struct err err = ERR_INIT;

	for (int i = 0; i < 10000; i++)
		str_addf(&str, "%04d\n", i);
	assert_int_equal(str_check(&str, "it", &err), 0);
	assert_int_equal(str.length, 50000);
	assert_memory_equal(str.data + 49995, "9999\n", 6);
}

static void holds_bytes_with_nul(void **state)
{
	owned(str_done) struct str str = str_new(10);

	str_add_n(&str, "a\0b", 3);
	assert_int_equal(str.length, 3);
	assert_memory_equal(str.data, "a\0b", 4);
}

static void the_limit_itself_fits(void **state)
{
	owned(str_done) struct str str = str_new(4);
	struct err err = ERR_INIT;

	str_add(&str, "1234");
	assert_int_equal(str_check(&str, "it", &err), 0);
	assert_string_equal(str.data, "1234");
}

static void the_first_failure_sticks(void **state)
{
	owned(str_done) struct str str = str_new(4);
	struct err err = ERR_INIT;

	str_add(&str, "123");
	str_add(&str, "45");
	str_add(&str, "6"); /* would fit, but something before it is missing */
	assert_string_equal(str.data, "123");
	assert_int_equal(str_check(&str, "the token", &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	assert_string_equal(err.text, "the token is longer than 4 bytes");
}

static void a_huge_length_does_not_overflow(void **state)
{
	owned(str_done) struct str str = str_new(SIZE_MAX);

	str_add(&str, "abc");
	str.max = 100;
	str_add_n(&str, "x", SIZE_MAX - 1);
	assert_true(str.failed);
	assert_string_equal(str.data, "abc");
}

static void formats_respect_the_limit(void **state)
{
	owned(str_done) struct str str = str_new(3);

	str_addf(&str, "%d", 1234);
	assert_true(str.failed);
	assert_string_equal(str.data, "");
}

static void cut_only_shortens(void **state)
{
	owned(str_done) struct str str = str_new(10);

	str_cut(&str, 0);
	str_add(&str, "abcdef");
	str_cut(&str, 9);
	assert_string_equal(str.data, "abcdef");
	str_cut(&str, 2);
	assert_string_equal(str.data, "ab");
	str_add(&str, "x");
	assert_string_equal(str.data, "abx");
}

static void clear_forgets_a_failure(void **state)
{
	owned(str_done) struct str str = str_new(3);

	str_add(&str, "abc");
	str_add(&str, "d");
	str_clear(&str);
	str_add(&str, "xyz");
	assert_false(str.failed);
	assert_string_equal(str.data, "xyz");
}

static void take_hands_on_and_empties(void **state)
{
	struct str str = str_new(10);
	owned(free) char *none = str_take(&str);

	str_add(&str, "abc");

	owned(free) char *text = str_take(&str);

	assert_string_equal(none, "");
	assert_string_equal(text, "abc");
	assert_string_equal(str.data, "");
	assert_int_equal(str.max, 10);
}

static void starts_and_ends(void **state)
{
	assert_true(str_starts("refs/heads/main", "refs/"));
	assert_true(str_starts("x", ""));
	assert_false(str_starts("ref", "refs"));
	assert_true(str_ends("a.git", ".git"));
	assert_true(str_ends("x", ""));
	assert_false(str_ends("git", ".git"));
}

static void moves_what_it_wipes_whole(void **state)
{
	owned(str_done) struct str str = str_new_wiping(10000);

	assert_string_equal(str.data, "");
	for (int i = 0; i < 1000; i++)
		str_addf(&str, "%d,", i);
	assert_int_equal(str.length, 3890);
	assert_int_equal(strlen(str.data), 3890);
	assert_memory_equal(str.data + 3880, "7,998,999,", 10);
	str_done(&str);
	str_add(&str, "again");
	assert_string_equal(str.data, "again");
	assert_true(str.wipes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_one_is_a_string),
		cmocka_unit_test(appends_follow_each_other),
		cmocka_unit_test(grows_through_many_sizes),
		cmocka_unit_test(holds_bytes_with_nul),
		cmocka_unit_test(the_limit_itself_fits),
		cmocka_unit_test(the_first_failure_sticks),
		cmocka_unit_test(a_huge_length_does_not_overflow),
		cmocka_unit_test(formats_respect_the_limit),
		cmocka_unit_test(cut_only_shortens),
		cmocka_unit_test(clear_forgets_a_failure),
		cmocka_unit_test(take_hands_on_and_empties),
		cmocka_unit_test(starts_and_ends),
		cmocka_unit_test(moves_what_it_wipes_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
