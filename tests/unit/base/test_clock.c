#include "test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static void stamps_have_the_one_form(void **state)
{
	char out[CLOCK_STAMP_MAX];

	assert_string_equal(clock_stamp(0, out), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clock_stamp(1767323045678, out), "2026-01-02T03:04:05.678Z");
	assert_string_equal(clock_stamp(951782400007, out), "2000-02-29T00:00:00.007Z");
}

static void stamps_before_1970_round_down(void **state)
{
	char out[CLOCK_STAMP_MAX];

	assert_string_equal(clock_stamp(-1, out), "1969-12-31T23:59:59.999Z");
	assert_string_equal(clock_stamp(-1000, out), "1969-12-31T23:59:59.000Z");
}

static void years_have_four_digits(void **state)
{
	char out[CLOCK_STAMP_MAX];

	assert_string_equal(clock_stamp(INT64_MAX, out), "9999-12-31T23:59:59.999Z");
	assert_string_equal(clock_stamp(253402300799999, out), "9999-12-31T23:59:59.999Z");
	assert_string_equal(clock_stamp(-62135596800000, out), "0001-01-01T00:00:00.000Z");
	assert_string_equal(clock_stamp(INT64_MIN, out), "0000-01-01T00:00:00.000Z");
}

static void every_day_has_its_date(void **state)
{
	static const int64_t day_s = 24 * 60 * 60;
	char out[CLOCK_STAMP_MAX], wanted[64];
	struct tm tm;

	for (time_t s = -62167219200; s < 253402300800; s += day_s) {
		gmtime_r(&s, &tm);
		snprintf(wanted, sizeof(wanted), "%04d-%02d-%02dT00:00:00.000Z", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday);
		assert_string_equal(clock_stamp(s * 1000, out), wanted);
	}
}

static void clocks_run_forward(void **state)
{
	int64_t mono = clock_mono_ms();

	assert_true(clock_mono_ms() >= mono);
	assert_true(clock_wall_ms() > 1700000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps_have_the_one_form),
		cmocka_unit_test(stamps_before_1970_round_down),
		cmocka_unit_test(years_have_four_digits),
		cmocka_unit_test(every_day_has_its_date),
		cmocka_unit_test(clocks_run_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
