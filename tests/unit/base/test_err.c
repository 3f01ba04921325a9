#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

static void set_fills_kind_and_text(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(err.kind, ERR_NONE);
	assert_int_equal(err_set(&err, ERR_NO_REPO, "there is no %s", "me/demo"), -1);
	assert_int_equal(err.kind, ERR_NO_REPO);
	assert_string_equal(err.text, "there is no me/demo");
}

static void text_stays_one_line(void **state)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_INVALID, "bad name %s", "a\r\nX-Evil: 1\x1b[0m\x7f");
	assert_string_equal(err.text, "bad name a  X-Evil: 1 [0m ");
}

static void long_text_is_cut_between_characters(void **state)
{
	struct err err = ERR_INIT;
	char text[ERR_TEXT_MAX + 3];

	for (size_t shift = 0; shift < 3; shift++) {
		memset(text, 'x', sizeof(text));
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3); /* three bytes: the euro sign */
		text[sizeof(text) - 1] = '\0';
		err_set(&err, ERR_INVALID, "%s", text);

		size_t length = strlen(err.text);

		assert_true(length >= ERR_TEXT_MAX - 4 && length < ERR_TEXT_MAX);
		assert_int_equal((length - shift) % 3, 0);
	}
}

static void sys_adds_the_reason(void **state)
{
	struct err err = ERR_INIT;

	errno = EACCES;
	assert_int_equal(err_sys(&err, "open %s", "x"), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_string_equal(err.text, "open x: Permission denied");
}

static void what_may_pass_has_kinds_of_its_own(void **state)
{
	static const struct {
		int number;
		enum err_kind kind;
		bool may_pass;
	} rows[] = {
		{ENOSPC, ERR_FULL, true}, {EDQUOT, ERR_FULL, true},    {EIO, ERR_DISK, true},
		{EROFS, ERR_DISK, true},  {EMFILE, ERR_BUSY, true},    {ENFILE, ERR_BUSY, true},
		{ENOMEM, ERR_BUSY, true}, {EACCES, ERR_SYSTEM, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_INIT;

		errno = rows[i].number;
		err_sys(&err, "write");
		assert_int_equal(err.kind, rows[i].kind);
		assert_int_equal(err_may_pass(&err), rows[i].may_pass);
	}
}

static void context_goes_in_front_and_keeps_the_kind(void **state)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_STALE, "the branch has moved");
	assert_int_equal(err_in(&err, "commit to %s", "main"), -1);
	assert_int_equal(err.kind, ERR_STALE);
	assert_string_equal(err.text, "commit to main: the branch has moved");
}

static void an_error_may_be_its_own_argument(void **state)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_BUSY, "inner");
	err_set(&err, err.kind, "outer (%s)", err.text);
	assert_string_equal(err.text, "outer (inner)");
}

static void context_that_does_not_fit_is_cut(void **state)
{
	struct err err = ERR_INIT;
	char long_text[ERR_TEXT_MAX];

	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	err_set(&err, ERR_BUSY, "%s", long_text);
	err_in(&err, "%s", long_text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_int_equal(err.kind, ERR_BUSY);
}

static void every_kind_has_a_name_of_its_own(void **state)
{
	for (int i = 0; i < ERR_KIND_COUNT; i++) {
		assert_non_null(err_kind_name((enum err_kind)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(err_kind_name((enum err_kind)i),
						err_kind_name((enum err_kind)j));
	}
	assert_string_equal(err_kind_name(ERR_KIND_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_fills_kind_and_text),
		cmocka_unit_test(text_stays_one_line),
		cmocka_unit_test(long_text_is_cut_between_characters),
		cmocka_unit_test(sys_adds_the_reason),
		cmocka_unit_test(what_may_pass_has_kinds_of_its_own),
		cmocka_unit_test(context_goes_in_front_and_keeps_the_kind),
		cmocka_unit_test(an_error_may_be_its_own_argument),
		cmocka_unit_test(context_that_does_not_fit_is_cut),
		cmocka_unit_test(every_kind_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
