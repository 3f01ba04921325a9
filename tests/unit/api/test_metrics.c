#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/metrics.h"

#define KEY "0123456789abcdef01234567-4"

static int64_t number(const struct engine_metrics *before, const struct engine_metrics *now,
		      const char *key)
{
	owned(json_decref) json_t *json = metrics_json(before, now);

	assert_non_null(json);
	return json_integer_value(json_object_get(json, key));
}

static void says_what_two_measurements_differ_in(void **state)
{
	const struct engine_metrics before = {
		.key = KEY, .at_ms = 1000, .cpu_ns = 500, .received_bytes = 100, .sent_bytes = 7};
	const struct engine_metrics now = {.key = KEY,
					   .at_ms = 3000,
					   .cpu_ns = 500 + 1000 * 1000 * 1000,
					   .cpu_milli = 2000,
					   .memory_bytes = 123,
					   .memory_limit = 456,
					   .received_bytes = 1100,
					   .sent_bytes = 7};
	owned(json_decref) json_t *json = metrics_json(&before, &now);
	owned(free) char *text = json_text(json);

	assert_string_equal(text, "{\"cpu_usage_pct\":25,\"cpu_millicores\":2000,"
				  "\"memory_used_bytes\":123,\"memory_total_bytes\":456,"
				  "\"rx_bps\":4000,\"tx_bps\":0,\"gpus\":{},\"replica\":\"4\"}");
}

static void two_runs_are_not_compared(void **state)
{
	const struct engine_metrics none = {0};
	const struct engine_metrics old = {.key = KEY, .at_ms = 1000};
	const struct engine_metrics next = {.key = "0123456789abcdef01234567-5", .at_ms = 2000};

	assert_null(metrics_json(&none, &old));
	assert_null(metrics_json(&old, &next));
	assert_null(metrics_json(&old, &old));
}

static void a_counter_that_fell_is_nothing_used(void **state)
{
	const struct engine_metrics before = {
		.key = KEY, .at_ms = 1000, .cpu_ns = 900, .received_bytes = 900};
	const struct engine_metrics now = {.key = KEY, .at_ms = 2000, .cpu_milli = 1000};

	assert_int_equal(number(&before, &now, "cpu_usage_pct"), 0);
	assert_int_equal(number(&before, &now, "rx_bps"), 0);
}

static void no_share_is_above_the_whole(void **state)
{
	const struct engine_metrics before = {.key = KEY, .at_ms = 1000};
	struct engine_metrics now = {
		.key = KEY, .at_ms = 2000, .cpu_ns = 1100 * 1000 * 1000, .cpu_milli = 1000};

	assert_int_equal(number(&before, &now, "cpu_usage_pct"), 100);
	now.cpu_milli = 0; /* without a limit it may be more than one processor */
	assert_int_equal(number(&before, &now, "cpu_usage_pct"), 110);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_two_measurements_differ_in),
		cmocka_unit_test(two_runs_are_not_compared),
		cmocka_unit_test(a_counter_that_fell_is_nothing_used),
		cmocka_unit_test(no_share_is_above_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
