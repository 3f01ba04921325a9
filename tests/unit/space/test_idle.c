#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "space/idle.h"

static const struct idle_rule hour = {.sleep_ms = 3600 * 1000, .page_ms = -1, .stop_ms = -1};

static void waits_the_sleep_time_after_it_has_begun(void **state)
{
	struct idle idle = {0};
	struct route_usage usage = {0};

	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 1000, 1000), 3600 * 1000);
	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 1000, 3600 * 1000), 1000);
	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 1000, 3601 * 1000), 0);
	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 1000, 9999 * 1000), 0);
}

static void waits_after_the_last_visit_has_ended(void **state)
{
	struct idle idle = {0};
	struct route_usage usage = {.requests = 1, .activity_ms = 5000};

	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 0, 6000), 3599 * 1000);
	usage = (struct route_usage){.requests = 2, .activity_ms = 100 * 1000};
	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 0, 3600 * 1000), 100 * 1000);
	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 0, 3700 * 1000), 0);
}

static void is_not_idle_while_something_is_open(void **state)
{
	struct idle idle = {0};
	struct route_usage usage = {.requests = 1, .open = 1, .activity_ms = 1000};
	int64_t look_ms = idle_left_ms(&idle, &usage, &hour, 0, 7200 * 1000);

	assert_in_range(look_ms, 1, hour.sleep_ms);
	usage.open = 0; /* its end was not counted, but it was there at the last look */
	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 0, 7201 * 1000), 3599 * 1000);
}

static void ignores_silent_sockets_where_that_is_said(void **state)
{
	struct idle_rule rule = hour;
	struct idle idle = {0};
	struct route_usage usage = {.requests = 2, .open = 1, .sockets = 1, .activity_ms = 1000};

	assert_true(idle_left_ms(&idle, &usage, &hour, 0, 7200 * 1000) > 0);
	idle = (struct idle){0};
	rule.ignores_sockets = true;
	assert_int_equal(idle_left_ms(&idle, &usage, &rule, 0, 7200 * 1000), 0);
	usage.activity_ms = 7200 * 1000; /* something was said */
	assert_int_equal(idle_left_ms(&idle, &usage, &rule, 0, 7200 * 1000), rule.sleep_ms);
	usage.open = 2; /* and a request */
	assert_true(idle_left_ms(&idle, &usage, &rule, 0, 99999 * 1000) > 0);
}

static void looks_often_enough_for_a_short_sleep_time(void **state)
{
	const struct idle_rule second = {.sleep_ms = 1000, .page_ms = -1, .stop_ms = -1};
	struct idle idle = {0};
	struct route_usage usage = {.open = 1};

	assert_in_range(idle_left_ms(&idle, &usage, &second, 0, 5000), 1, 200);
}

static void begins_anew_where_counts_are_lost(void **state)
{
	struct idle idle = {0};
	struct route_usage usage = {.requests = 10, .activity_ms = 1000};

	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 0, 3601 * 1000), 0);
	usage = (struct route_usage){.requests = 0};
	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 0, 3602 * 1000), hour.sleep_ms);
}

static void counts_what_was_before_the_clock_began(void **state)
{
	struct idle idle = {0};
	struct route_usage usage = {0};

	assert_int_equal(idle_left_ms(&idle, &usage, &hour, -3600 * 1000, 10), 0);
}

static void is_not_idle_since_before_a_touch(void **state)
{
	struct idle idle = {0};
	struct route_usage usage = {.requests = 3, .activity_ms = 1000};

	idle_touch(&idle, 7200 * 1000);
	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 0, 7200 * 1000), hour.sleep_ms);
}

static void is_asked_again_soon_where_it_could_not_sleep(void **state)
{
	struct idle idle = {0};
	struct route_usage usage = {0};

	idle_touch(&idle, 9999 * 1000);
	idle_shorten(&idle, &hour, 60 * 1000);
	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 0, 9999 * 1000), 60 * 1000);
	idle_touch(&idle, 9999 * 1000);
	idle_shorten(&idle, &hour, 7200 * 1000);
	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 0, 9999 * 1000), hour.sleep_ms);
}

static void takes_no_time_of_the_future(void **state)
{
	struct idle idle = {0};
	struct route_usage usage = {.requests = 1, .activity_ms = 999999};

	assert_int_equal(idle_left_ms(&idle, &usage, &hour, 500000, 1000), hour.sleep_ms);
}

static void never_sleeps_where_that_is_wished(void **state)
{
	const struct idle_rule never = {.sleep_ms = -1, .page_ms = -1, .stop_ms = -1};
	struct idle idle = {0};
	struct route_usage usage = {0};

	assert_int_equal(idle_left_ms(&idle, &usage, &never, 0, INT64_MAX / 2), -1);
}

static void sleeps_deeper_with_time(void **state)
{
	const struct idle_rule deep = {.sleep_ms = 1, .page_ms = 3000, .stop_ms = 5000};
	const struct idle_rule card = {
		.sleep_ms = 1, .stops = true, .page_ms = 3000, .stop_ms = -1};
	int64_t next_ms;

	assert_int_equal(idle_depth(&hour, INT64_MAX, &next_ms), IDLE_FROZEN);
	assert_int_equal(next_ms, -1);
	assert_int_equal(idle_depth(&deep, 0, &next_ms), IDLE_FROZEN);
	assert_int_equal(next_ms, 3000);
	assert_int_equal(idle_depth(&deep, 3000, &next_ms), IDLE_PAGED);
	assert_int_equal(next_ms, 2000);
	assert_int_equal(idle_depth(&deep, 4999, &next_ms), IDLE_PAGED);
	assert_int_equal(next_ms, 1);
	assert_int_equal(idle_depth(&deep, 5000, &next_ms), IDLE_STOPPED);
	assert_int_equal(next_ms, -1);
	assert_int_equal(idle_depth(&card, 0, &next_ms), IDLE_STOPPED);
	assert_string_equal(idle_depth_name(IDLE_STOPPED), "stopped");
	assert_string_equal(idle_depth_name(IDLE_AWAKE), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_the_sleep_time_after_it_has_begun),
		cmocka_unit_test(waits_after_the_last_visit_has_ended),
		cmocka_unit_test(is_not_idle_while_something_is_open),
		cmocka_unit_test(ignores_silent_sockets_where_that_is_said),
		cmocka_unit_test(looks_often_enough_for_a_short_sleep_time),
		cmocka_unit_test(begins_anew_where_counts_are_lost),
		cmocka_unit_test(counts_what_was_before_the_clock_began),
		cmocka_unit_test(is_not_idle_since_before_a_touch),
		cmocka_unit_test(is_asked_again_soon_where_it_could_not_sleep),
		cmocka_unit_test(takes_no_time_of_the_future),
		cmocka_unit_test(never_sleeps_where_that_is_wished),
		cmocka_unit_test(sleeps_deeper_with_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
