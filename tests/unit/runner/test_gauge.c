#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/gauge.h"

static void a_field_is_found_by_its_whole_name(void **state)
{
	static const char stat[] = "inactive_file 5\ntotal_inactive_file 4096\nlast 7";

	assert_int_equal(gauge_field(stat, "inactive_file"), 5);
	assert_int_equal(gauge_field(stat, "total_inactive_file"), 4096);
	assert_int_equal(gauge_field(stat, "last"), 7);
	assert_int_equal(gauge_field(stat, "total"), 0);
	assert_int_equal(gauge_field(stat, "file"), 0);
	assert_int_equal(gauge_field("", "file"), 0);
}

static void processors_are_a_quota_of_a_period(void **state)
{
	assert_int_equal(gauge_cpu_milli("200000", "100000"), 2000);
	assert_int_equal(gauge_cpu_milli("50000 100000\n", " 100000\n"), 500);
	assert_int_equal(gauge_cpu_milli("max 100000", " 100000"), 0);
	assert_int_equal(gauge_cpu_milli("-1\n", "100000\n"), 0);
	assert_int_equal(gauge_cpu_milli("100000", "0"), 0);
	assert_int_equal(gauge_cpu_milli("9223372036854775807", "1"), 0);
}

static void a_run_without_a_cgroup_is_an_error(void **state)
{
	static const struct datadir dir = {.path = (char *)"/nowhere", .instance = "none00"};
	struct engine_metrics metrics;
	struct err err = ERR_INIT;

	assert_int_equal(gauge_read(&dir, "0123456789abcdef01234567-1", 2, &metrics, &err), -1);
	assert_int_not_equal(err.kind, ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_is_found_by_its_whole_name),
		cmocka_unit_test(processors_are_a_quota_of_a_period),
		cmocka_unit_test(a_run_without_a_cgroup_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
