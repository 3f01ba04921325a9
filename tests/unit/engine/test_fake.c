#include "contract.h"

#include <stdio.h>

#include "engine/fake.h"

static const char *const argv[] = {"/usr/bin/python3", "app.py", NULL};
static const char *const env[] = {"A=1", NULL};

static void lose(void)
{
	engine_fake_lose(contract.engine);
}

static int set_up(void **state)
{
	struct err err = ERR_INIT;
	struct loop *loop;
	struct engine *engine;

	if (loop_new(&loop, &err) < 0 || engine_fake_new(loop, *state != NULL, &engine, &err) < 0)
		return -1;
	contract_use(loop, engine);
	contract.patience_ms = 5000;
	contract.has_swap = true;
	contract.break_off = lose;
	contract.app = (struct engine_spec){.space = "0123456789abcdef01234567",
					    .log = "run-1.log",
					    .argv = argv,
					    .env = env,
					    .cwd = "/home/user/app",
					    .port = 7860,
					    .limits = {.cpu_milli = 500, .memory_bytes = 1000}};
	engine_fake_use(engine, &(struct engine_metrics){.key = CONTRACT_KEY(7),
							 .at_ms = 1,
							 .cpu_ns = 2,
							 .cpu_milli = 500,
							 .memory_bytes = 3,
							 .memory_limit = 1000});
	return 0;
}

static int tear_down(void **state)
{
	contract.engine->ops->free(contract.engine);
	loop_free(contract.loop);
	free(contract.reports);
	memset(&contract, 0, sizeof(contract));
	return 0;
}

static void a_run_moves_when_the_test_says_so(void **state)
{
	struct err err = ERR_INIT;

	contract_submit("a");
	assert_null(contract_last("a"));
	assert_int_equal(engine_fake_set(contract.engine, "a", ENGINE_RUNNING, 0, &err), 0);
	assert_null(contract_last("a")); /* never from inside of a call */
	contract_wait(contract_is_running, "a");
	assert_int_equal(engine_fake_end(contract.engine, "a", 137, true, "out of memory", &err),
			 0);
	contract_wait(contract_has_ended, "a");
	assert_int_equal(contract_last("a")->exit_status, 137);
	assert_true(contract_last("a")->oom);
	assert_string_equal(contract_last("a")->reason, "out of memory");
	assert_int_equal(engine_fake_set(contract.engine, "b", ENGINE_RUNNING, 0, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void a_run_that_uses_nothing_known_has_no_metrics(void **state)
{
	struct err err = ERR_INIT;

	contract_submit("a");
	assert_int_equal(contract.engine->ops->measure(contract.engine, "a", &err), -1);
	assert_int_equal(engine_fake_set(contract.engine, "a", ENGINE_RUNNING, 0, &err), 0);
	contract_wait(contract_is_running, "a");
	assert_int_equal(contract.engine->ops->measure(contract.engine, "a", &err), 0);
	contract_wait(contract_is_measured, "a");
	assert_string_equal(contract.metrics.key, "");
}

static void submissions_are_copies(void **state)
{
	const struct engine_spec *spec;

	contract_submit("a");
	contract.app.cwd = "/elsewhere";
	spec = engine_fake_submission(contract.engine, 0);
	assert_string_equal(spec->cwd, "/home/user/app");
	assert_string_equal(spec->argv[1], "app.py");
	assert_string_equal(spec->env[0], "A=1");
	assert_null(engine_fake_submission(contract.engine, 1));
}

static void a_refusal_is_for_one_submit(void **state)
{
	struct err refusal = ERR_INIT;
	struct err err = ERR_INIT;

	err_set(&refusal, ERR_BUSY, "later");
	engine_fake_refuse(contract.engine, &refusal);
	assert_int_equal(contract.engine->ops->submit(contract.engine, &contract.app, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	contract_submit("a");
	assert_int_equal(contract_observed("a"), 1);
}

static void a_gap_is_reported(void **state)
{
	contract_break_off();
	assert_int_equal(contract.lost, 1);
}

static void what_the_machine_lacks_is_told(void **state)
{
	struct err err = ERR_INIT;

	contract_submit("a");
	assert_int_equal(engine_fake_set(contract.engine, "a", ENGINE_RUNNING, 0, &err), 0);
	contract_wait(contract_is_running, "a");
	engine_fake_lack(contract.engine, ENGINE_CAN_SUSPEND);
	contract_seen = contract.report_count;
	assert_int_equal(contract.engine->ops->suspend(contract.engine, "a", &err), 0);
	contract_wait(contract_has_news, "a");
	assert_int_equal(contract_last("a")->state, ENGINE_RUNNING);
	engine_fake_lack(contract.engine, ENGINE_CAN_PAGE_OUT);
	contract_freeze("a");
	assert_false(contract_page_out("a")->paged);
	engine_fake_lack(contract.engine, 0);
	assert_true(contract_page_out("a")->paged);
}

static void stops_are_counted(void **state)
{
	struct err err = ERR_INIT;
	uint32_t grace_ms = 0;

	contract_submit("a");
	assert_int_equal(contract.engine->ops->stop(contract.engine, "a", 700, &err), 0);
	assert_int_equal(engine_fake_stops(contract.engine, "a", &grace_ms), 1);
	assert_int_equal(grace_ms, 700);
	assert_int_equal(engine_fake_stops(contract.engine, "b", NULL), 0);
}

int main(void)
{
	static char automatic;
	const struct CMUnitTest by_hand[] = {
		cmocka_unit_test_setup_teardown(a_run_moves_when_the_test_says_so, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_run_that_uses_nothing_known_has_no_metrics,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(submissions_are_copies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refusal_is_for_one_submit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_gap_is_reported, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_machine_lacks_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stops_are_counted, set_up, tear_down),
	};
	const struct CMUnitTest by_contract[] = {CONTRACT_TESTS};
	void *state = &automatic;
	int failed = cmocka_run_group_tests(by_hand, NULL, NULL);

	if (set_up(&state) < 0)
		return 1;
	failed += cmocka_run_group_tests(by_contract, NULL, NULL);
	tear_down(&state);
	return failed;
}
