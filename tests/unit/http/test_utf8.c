#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/utf8.h"

static int32_t first(const char *text, size_t length, size_t *used)
{
	const char *at = text;
	int32_t code = utf8_next(&at, text + length);

	*used = (size_t)(at - text);
	return code;
}

static void decodes_each_length(void **state)
{
	size_t used;

	assert_int_equal(first("A", 1, &used), 'A');
	assert_int_equal(used, 1);
	assert_int_equal(first("\xc3\xa9", 2, &used), 0xe9);
	assert_int_equal(used, 2);
	assert_int_equal(first("\xe2\x80\xa8", 3, &used), 0x2028);
	assert_int_equal(used, 3);
	assert_int_equal(first("\xf0\x9f\x98\x80", 4, &used), 0x1f600);
	assert_int_equal(used, 4);
}

static void refuses_what_is_none_and_moves_by_one_byte(void **state)
{
	static const char *const broken[] = {
		"\x80",             /* starts in the middle */
		"\xc0\xaf",         /* overlong */
		"\xe0\x80\xaf",     /* overlong */
		"\xf0\x80\x80\xaf", /* overlong */
		"\xed\xa0\x80",     /* a surrogate */
		"\xf4\x90\x80\x80", /* above U+10FFFF */
		"\xe2\x80",         /* cut */
		"\xe2(\xa1",        /* broken inside */
		"\xff",
	};

	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		size_t used, length = strlen(broken[i]);

		assert_int_equal(first(broken[i], length, &used), -1);
		assert_int_equal(used, 1);
		assert_false(utf8_is_valid(broken[i], length));
	}
}

static void does_not_read_behind_the_end(void **state)
{
	size_t used;

	assert_int_equal(first("\xe2\x80\xa8", 2, &used), -1);
	assert_true(utf8_is_valid("", 0));
	assert_true(utf8_is_valid("a\xc3\xa9", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_each_length),
		cmocka_unit_test(refuses_what_is_none_and_moves_by_one_byte),
		cmocka_unit_test(does_not_read_behind_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
