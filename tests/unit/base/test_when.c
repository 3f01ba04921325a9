#include "base/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const int64_t now_ms = 1700000000123;

static void a_moment_is_read_as_people_write_it(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"1970-01-02", 86400000},
		{"1970-01-01T00:01", 60000},
		{"1970-01-01T00:01Z", 60000},
		{"1970-01-01T00:00:01", 1000},
		{"1970-01-01T00:00:01Z", 1000},
		{"1970-01-01T00:00:01.5Z", 1500},
		{"1970-01-01T00:00:01.2349", 1234},
		{"2024-02-29T23:59:59.999Z", 1709251199999},
		{"0s", now_ms},
		{"90s", now_ms - 90000},
		{"30m", now_ms - 1800000},
		{"12h", now_ms - 43200000},
		{"7d", now_ms - 604800000},
		{"999999w", now_ms - 999999 * INT64_C(604800000)},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		int64_t ms = 0;

		assert_int_equal(when_parse(cases[i].text, now_ms, &ms, &err), 0);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void what_is_no_moment_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"7",
		"d",
		"7x",
		"7dd",
		"-7d",
		"1000000w",
		"yesterday",
		"2026",
		"2026-11",
		"2026-13-01",
		"26-11-25",
		"2026-1-2",
		"2026-11-25Tx",
		"2026-11-25T25:00",
		"2026-11-25T10:00:00.",
		"2026-11-25T10:00:00+01:00",
		"2026-11-25 10:00",
		"2026-11-25ZZ",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err err = ERR_INIT;
		int64_t ms = 5;

		assert_int_equal(when_parse(wrong[i], now_ms, &ms, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(ms, 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_moment_is_read_as_people_write_it),
		cmocka_unit_test(what_is_no_moment_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
