#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/runs.h"

static struct engine_run run_of(unsigned number)
{
	struct engine_run run = {.port = (uint16_t)number};

	snprintf(run.key, sizeof(run.key), "key-%u", number);
	return run;
}

static void a_key_has_one_entry(void **state)
{
	struct runs runs = RUNS_INIT;
	struct engine_run run = run_of(1);

	runs_put(&runs, &run)->request = 5;
	run.port = 9;
	runs_put(&runs, &run);
	assert_int_equal(runs.count, 1);
	assert_int_equal(runs_find(&runs, "key-1")->run.port, 9);
	assert_int_equal(runs_find(&runs, "key-1")->request, 0);
	runs_done(&runs);
}

static void the_others_stay_when_one_is_removed(void **state)
{
	struct runs runs = RUNS_INIT;

	for (unsigned i = 0; i < 100; i++) {
		struct engine_run run = run_of(i);

		runs_put(&runs, &run);
	}
	for (unsigned i = 0; i < 100; i += 2) {
		char key[32];

		snprintf(key, sizeof(key), "key-%u", i);
		runs_remove(&runs, key);
		assert_null(runs_find(&runs, key));
	}
	runs_remove(&runs, "unknown");
	assert_int_equal(runs.count, 50);
	assert_int_equal(runs_find(&runs, "key-99")->run.port, 99);
	runs_done(&runs);
}

static void a_submitted_run_is_starting(void **state)
{
	const struct engine_spec spec = {.kind = ENGINE_BUILD, .key = "k", .space = "s", .port = 3};
	struct engine_run run = runs_submitted(&spec);

	assert_int_equal(run.state, ENGINE_STARTING);
	assert_int_equal(run.kind, ENGINE_BUILD);
	assert_string_equal(run.key, "k");
	assert_string_equal(run.space, "s");
	assert_int_equal(run.port, 3);
	assert_int_equal(run.address, 0);
	assert_string_equal(engine_state_name(run.state), "starting");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_has_one_entry),
		cmocka_unit_test(the_others_stay_when_one_is_removed),
		cmocka_unit_test(a_submitted_run_is_starting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
