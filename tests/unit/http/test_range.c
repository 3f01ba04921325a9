#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/http.h"

static void assert_range(const char *header, uint64_t total, uint64_t first, uint64_t length)
{
	struct err err = ERR_INIT;
	uint64_t got_first, got_length;
	bool partial;

	assert_int_equal(http_range(header, total, &partial, &got_first, &got_length, &err), 0);
	assert_true(partial);
	assert_int_equal(got_first, first);
	assert_int_equal(got_length, length);
}

static void assert_ignored(const char *header)
{
	struct err err = ERR_INIT;
	uint64_t first, length;
	bool partial;

	assert_int_equal(http_range(header, 100, &partial, &first, &length, &err), 0);
	assert_false(partial);
	assert_int_equal(first, 0);
	assert_int_equal(length, 100);
}

static void assert_outside(const char *header, uint64_t total)
{
	struct err err = ERR_INIT;
	uint64_t first, length;
	bool partial;

	assert_int_equal(http_range(header, total, &partial, &first, &length, &err), -1);
	assert_int_equal(err.kind, ERR_RANGE);
}

static void takes_all_three_forms(void **state)
{
	assert_range("bytes=0-0", 100, 0, 1);
	assert_range("bytes=10-19", 100, 10, 10);
	assert_range("bytes=10-", 100, 10, 90);
	assert_range("bytes=99-", 100, 99, 1);
	assert_range("bytes=-5", 100, 95, 5);
	assert_range("Bytes= 1-2 ", 100, 1, 2);
}

static void clamps_past_the_end(void **state)
{
	assert_range("bytes=0-100000", 100, 0, 100);
	assert_range("bytes=8-18446744073709551615", 100, 8, 92);
	assert_range("bytes=-1000", 100, 0, 100);
	assert_range("bytes=0-18446744073709551615", UINT64_MAX, 0, UINT64_MAX);
}

static void ignores_what_it_does_not_understand(void **state)
{
	assert_ignored(NULL);
	assert_ignored("");
	assert_ignored("lines=1-2");
	assert_ignored("bytes=");
	assert_ignored("bytes=-");
	assert_ignored("bytes=a-b");
	assert_ignored("bytes=1-2,4-5");
	assert_ignored("bytes=5-4");
	assert_ignored("bytes=1-2x");
	assert_ignored("bytes=--1");
	assert_ignored("bytes=+1-2");
	assert_ignored("bytes=1-18446744073709551616");
}

static void refuses_what_lies_outside(void **state)
{
	assert_outside("bytes=100-", 100);
	assert_outside("bytes=100-200", 100);
	assert_outside("bytes=-0", 100);
	assert_outside("bytes=0-", 0);
	assert_outside("bytes=-1", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_all_three_forms),
		cmocka_unit_test(clamps_past_the_end),
		cmocka_unit_test(ignores_what_it_does_not_understand),
		cmocka_unit_test(refuses_what_lies_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
