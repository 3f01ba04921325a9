#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hand.h"
#include "space/runrow.h"

static int setup(void **state)
{
	*state = hand_new();
	return 0;
}

static int teardown(void **state)
{
	hand_free(*state);
	return 0;
}

static void adopts_what_runs(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "adopt", &app);
	struct runrow row = {0};
	uint16_t port;

	memcpy(row.key, hand_submission(hand, 1)->key, sizeof(row.key));
	hand_stop(hand);
	hand->revived = &row;
	hand->revived_port = app.port;
	hand_start(hand);
	assert_int_equal(hand_ask(hand, "me-adopt", &port), SPACE_WHO_ADDRESS);
	assert_int_equal(port, app.port);
	hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(hand_submissions(hand), 1); /* the one that was there */
	app_done(&app);
}

static void starts_again_what_the_machine_has_lost(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "lost", &app);
	uint16_t port;

	hand_stop(hand);
	hand_start(hand); /* with an engine that knows nothing */
	assert_int_equal(hand_ask(hand, "me-lost", &port), SPACE_WHO_ADDRESS);
	hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(hand_submissions(hand), 1);
	assert_non_null(strstr(hand_submission(hand, 0)->key, "-2-1"));
	app_done(&app);
}

static void goes_on_with_what_was_wished_while_it_was_away(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_space(hand->world, "away");
	struct app app;

	app_init(&app);
	app_open(&app);
	hand_stop(hand);
	hand_push_app(hand, &repo, &app, "x\n");
	hand_start(hand);
	hand_end_build(hand, hand_submission(hand, 0), 0, NULL);
	hand_wait(hand, &repo, STAGE_RUNNING);
	app_done(&app);
}

static void stops_a_run_that_no_row_knows(void **state)
{
	struct hand *hand = *state;
	struct runrow row = {.key = "ffffffffffffffffffffffff-1"};

	hand_stop(hand);
	hand->revived = &row;
	hand->revived_port = 1;
	hand_start(hand);
	hand_wait_stop(hand, row.key);
}

static void shows_a_private_space_to_the_admitted_only(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_repo("secret");
	const struct space_setup setup = {.sdk = "gradio"};
	struct store_tx *tx = world_begin(hand->world);
	struct app app;
	struct err err = ERR_INIT;

	repo.is_private = true;
	world_ok(space_add(store_tx_db(tx), &repo, &setup, &err), &err);
	world_commit(tx);
	app_init(&app);
	app_open(&app);
	hand_push_app(hand, &repo, &app, "x\n");
	hand_end_build(hand, hand_submission(hand, 0), 0, NULL);
	hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(hand_ask(hand, "me-secret", NULL), SPACE_WHO_UNKNOWN);
	assert_int_equal(hand_ask_admitted(hand, "me-secret"), SPACE_WHO_ADDRESS);
	assert_int_equal(hand_ask_admitted(hand, "no-such-name"), SPACE_WHO_UNKNOWN);
	assert_int_equal(hand_ask(hand, "no-such-name", NULL), SPACE_WHO_UNKNOWN);
	app_done(&app);
}

static void a_change_of_visibility_reaches_the_running_app(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "seen", &app);

	hand_wait_who(hand, "me-seen", SPACE_WHO_ADDRESS);
	assert_int_equal(hand_access(hand, "me-seen"), ROUTE_PUBLIC);
	hand_set_access(hand, &repo, true, false);
	hand_wait_who(hand, "me-seen", SPACE_WHO_UNKNOWN);
	assert_int_equal(hand_access(hand, "me-seen"), ROUTE_PRIVATE);
	hand_set_access(hand, &repo, true, true);
	hand_wait_who(hand, "me-seen", SPACE_WHO_ADDRESS);
	assert_int_equal(hand_access(hand, "me-seen"), ROUTE_PUBLIC);
	/* Nothing was started anew for it. */
	assert_int_equal(hand_submissions(hand), 2);
	assert_int_equal(hand_stops(hand, hand_submission(hand, 1)->key), 0);
	app_done(&app);
}

static void measures_what_runs(void **state)
{
	struct hand *hand = *state;
	struct engine_metrics metrics = {.cpu_ns = 5, .memory_bytes = 7};
	struct engine_metrics got = {0};
	struct app app;
	struct repo repo = hand_running(hand, "measured", &app);

	memcpy(metrics.key, hand_submission(hand, 1)->key, sizeof(metrics.key));
	hand_use(hand, &metrics);
	assert_true(hand_measure(hand, &repo, &got));
	assert_string_equal(got.key, metrics.key);
	assert_int_equal(got.memory_bytes, 7);
	app_done(&app);
}

static void has_nothing_to_measure_where_nothing_runs(void **state)
{
	struct hand *hand = *state;
	struct repo idle = world_space(hand->world, "idle");
	struct repo unknown = world_repo("unknown");
	struct engine_metrics got;
	struct app app;
	struct repo repo = hand_running(hand, "unmeasured", &app);

	assert_false(hand_measure(hand, &idle, &got));
	assert_false(hand_measure(hand, &unknown, &got));
	assert_false(hand_measure(hand, &repo, &got)); /* the engine can't tell */
	app_done(&app);
}

static atomic_int changes;

static void count_change(void *arg, int64_t repo_id)
{
	assert_ptr_equal(arg, &changes);
	changes++;
}

static void tells_that_a_space_may_have_changed(void **state)
{
	struct hand *hand = *state;
	struct app app;

	hand_stop(hand);
	hand->config.changed = count_change;
	hand->config.changed_arg = &changes;
	hand_start(hand);
	changes = 0;
	hand_running(hand, "told", &app);
	assert_true(changes > 0);
	app_done(&app);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(adopts_what_runs),
		TEST(starts_again_what_the_machine_has_lost),
		TEST(goes_on_with_what_was_wished_while_it_was_away),
		TEST(stops_a_run_that_no_row_knows),
		TEST(shows_a_private_space_to_the_admitted_only),
		TEST(a_change_of_visibility_reaches_the_running_app),
		TEST(measures_what_runs),
		TEST(has_nothing_to_measure_where_nothing_runs),
		TEST(tells_that_a_space_may_have_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
