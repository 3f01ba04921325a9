#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "hand.h"
#include "space/keys.h"
#include "space/runrow.h"
#include "space/wish.h"

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

/* The answer of a statement that has one number. */
static int64_t count(struct hand *hand, const char *sql, int64_t repo_id)
{
	struct store_read *read = NULL;
	struct store_query *query;
	int64_t number;
	struct err err = ERR_INIT;

	world_ok(store_read_begin(hand->world->store, &read, &err), &err);
	query = store_query(store_read_db(read), sql);
	store_bind_int(query, repo_id);
	world_ok(store_step(query, &err), &err);
	number = store_int(query, 0);
	store_query_end(query);
	store_read_end(read);
	return number;
}

/* How many of its spans in the ledger are open, and how many there are. */
static void expect_spans(struct hand *hand, const struct repo *repo, int open, int all)
{
	assert_int_equal(count(hand,
			       "SELECT count(*) FROM ledger WHERE repo_id = ? AND to_ms IS NULL",
			       repo->id),
			 open);
	assert_int_equal(count(hand, "SELECT count(*) FROM ledger WHERE repo_id = ?", repo->id),
			 all);
}

static void set_hardware(struct hand *hand, const struct repo *repo, const char *flavor)
{
	struct store_tx *tx = world_begin(hand->world);
	struct err err = ERR_INIT;

	/* Two days, as of cpu-basic. */
	world_ok(wish_hardware(store_tx_db(tx), repo->id, flavor, 172800, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo->id);
}

/* A running Space on other hardware; its run is the third submission. */
static struct repo running_on(struct hand *hand, const char *name, const char *flavor,
			      struct app *app)
{
	struct repo repo = hand_running(hand, name, app);

	set_hardware(hand, &repo, flavor);
	hand_submission(hand, 2);
	hand_wait(hand, &repo, STAGE_RUNNING);
	return repo;
}

static void sleeps_where_nobody_comes_and_wakes_by_a_visit(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "sleeper", &app);
	struct space space = hand_asleep(hand, &repo);
	uint16_t port;

	assert_string_equal(space.depth, "frozen");
	assert_int_equal(hand_route(hand, "me-sleeper"), ROUTE_DRAIN);
	expect_spans(hand, &repo, 0, 1);
	assert_int_equal(hand_ask(hand, "me-sleeper", &port), SPACE_WHO_ADDRESS);
	assert_int_equal(port, app.port);
	space = hand_wait(hand, &repo, STAGE_RUNNING);
	assert_string_equal(space.depth, "");
	assert_true(space.wake_ms > 0);
	assert_int_equal(hand_route(hand, "me-sleeper"), ROUTE_RUNNING);
	expect_spans(hand, &repo, 1, 2);
	assert_int_equal(hand_submissions(hand), 2);
	assert_int_equal(hand_stops(hand, hand_submission(hand, 1)->key), 0);
	app_done(&app);
}

static void stays_awake_while_somebody_is_there(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "busy", &app);

	hand_visit(hand, "me-busy", true);
	hand_forsake(hand, &repo);
	hand_settle(hand);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_RUNNING);
	hand_visit(hand, "me-busy", false);
	space_loop_wake(hand->loop, repo.id);
	hand_settle(hand); /* two days begin now */
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_RUNNING);
	assert_int_equal(hand_route(hand, "me-busy"), ROUTE_RUNNING);
	app_done(&app);
}

static void never_sleeps_where_that_is_wished(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = running_on(hand, "never", "cpu-upgrade", &app);
	struct store_tx *tx = world_begin(hand->world);
	struct err err = ERR_INIT;

	world_ok(wish_sleep(store_tx_db(tx), repo.id, -1, &err), &err);
	world_commit(tx);
	hand_forsake(hand, &repo);
	hand_settle(hand);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_RUNNING);
	tx = world_begin(hand->world);
	world_ok(wish_sleep(store_tx_db(tx), repo.id, 3600, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo.id);
	hand_wait(hand, &repo, STAGE_SLEEPING);
	app_done(&app);
}

static void keeps_a_private_space_asleep_for_strangers(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "secret", &app);

	hand_set_access(hand, &repo, true, false);
	hand_asleep(hand, &repo);
	assert_int_equal(hand_ask(hand, "me-secret", NULL), SPACE_WHO_UNKNOWN);
	hand_settle(hand);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_SLEEPING);
	assert_int_equal(hand_ask_admitted(hand, "me-secret"), SPACE_WHO_ADDRESS);
	app_done(&app);
}

static void gives_a_card_back_and_starts_anew_by_a_visit(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = running_on(hand, "card", "t4-small", &app);
	struct space space = hand_asleep(hand, &repo);
	uint16_t port;

	assert_string_equal(space.depth, "stopped");
	expect_spans(hand, &repo, 0, 2);
	hand_wait_stop(hand, hand_submission(hand, 2)->key);
	while (*world_get(hand->world, repo.id).current_flavor)
		hand_settle(hand);
	assert_int_equal(hand_submissions(hand), 3); /* its end starts nothing */
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_SLEEPING);
	assert_int_equal(hand_ask(hand, "me-card", &port), SPACE_WHO_ADDRESS);
	assert_int_equal(port, app.port);
	space = hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(hand_submissions(hand), 4);
	assert_string_equal(space.current_flavor, "t4-small");
	assert_string_equal(space.depth, "");
	expect_spans(hand, &repo, 1, 3);
	app_done(&app);
}

/* Who has slept longest, one at each look. */
static void gives_way_where_memory_is_short(void **state)
{
	struct hand *hand = *state;
	struct app apps[2];
	struct repo first, second;

	hand_stop(hand);
	hand->config.sleep.reserve_percent = 5;
	hand->config.relieve_ms = INT64_C(60) * 60 * 1000; /* the test looks */
	hand_start(hand);
	first = hand_running(hand, "first", &apps[0]);
	second = world_space(hand->world, "second");
	app_init(&apps[1]);
	app_open(&apps[1]);
	hand_push_app(hand, &second, &apps[1], "print(1)\n");
	hand_wait(hand, &second, STAGE_RUNNING);
	hand_asleep(hand, &first);
	usleep(2000); /* it is told in milliseconds */
	hand_asleep(hand, &second);
	hand_relieve(hand, 4, 6); /* there is swap space */
	hand_relieve(hand, 6, 0); /* none is needed */
	assert_string_equal(world_get(hand->world, first.id).depth, "frozen");
	hand_relieve(hand, 4, 0);
	hand_wait_stop(hand, hand_submission(hand, 1)->key);
	assert_string_equal(world_get(hand->world, first.id).depth, "stopped");
	assert_int_equal(world_get(hand->world, first.id).stage, STAGE_SLEEPING);
	assert_string_equal(world_get(hand->world, second.id).depth, "frozen");
	hand_relieve(hand, 4, 0);
	hand_wait_stop(hand, hand_submission(hand, 2)->key);
	hand_relieve(hand, 4, 0); /* nobody is left */
	assert_int_equal(hand_ask(hand, "me-first", NULL), SPACE_WHO_ADDRESS);
	app_done(&apps[0]);
	app_done(&apps[1]);
}

static void is_stopped_after_a_long_sleep(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo;

	hand_stop(hand);
	hand->config.sleep.stop_ms = 1;
	hand_start(hand);
	repo = hand_running(hand, "deep", &app);
	hand_asleep(hand, &repo);
	hand_wait_stop(hand, hand_submission(hand, 1)->key);
	while (*world_get(hand->world, repo.id).current_flavor)
		hand_settle(hand);
	assert_string_equal(world_get(hand->world, repo.id).depth, "stopped");
	assert_int_equal(hand_ask(hand, "me-deep", NULL), SPACE_WHO_ADDRESS);
	assert_int_equal(hand_submissions(hand), 3);
	app_done(&app);
}

static void goes_on_where_it_can_not_be_suspended(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "wakeful", &app);

	hand_lack_sleep(hand);
	hand_forsake(hand, &repo);
	hand_settle(hand);
	hand_settle(hand);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_RUNNING);
	assert_int_equal(hand_route(hand, "me-wakeful"), ROUTE_RUNNING);
	app_done(&app);
}

static void is_paged_out_after_a_while(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo;

	hand_stop(hand);
	hand->config.sleep.page_ms = 1;
	hand_start(hand);
	repo = hand_running(hand, "paged", &app);
	hand_asleep(hand, &repo);
	while (strcmp(world_get(hand->world, repo.id).depth, "paged-out") != 0)
		hand_settle(hand);
	assert_int_equal(hand_ask(hand, "me-paged", NULL), SPACE_WHO_ADDRESS);
	assert_string_equal(hand_wait(hand, &repo, STAGE_RUNNING).depth, "");
	app_done(&app);
}

static void sleeps_under_a_silent_websocket_where_that_is_said(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo;

	hand_stop(hand);
	hand->config.sleep.ignores_sockets = true;
	hand_start(hand);
	repo = hand_running(hand, "silent", &app);
	hand_visit(hand, "me-silent", true);
	hand_upgrade(hand, "me-silent");
	hand_asleep(hand, &repo);
	hand_settle(hand);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_SLEEPING);
	hand_say(hand, "me-silent");
	hand_wait(hand, &repo, STAGE_RUNNING);
	app_done(&app);
}

static void stays_asleep_where_its_process_is_gone(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "gone", &app);

	hand_asleep(hand, &repo);
	hand_stop(hand);
	hand_start(hand); /* as after the machine's: nothing runs */
	while (*world_get(hand->world, repo.id).current_flavor)
		hand_settle(hand);
	hand_settle(hand);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_SLEEPING);
	assert_string_equal(world_get(hand->world, repo.id).depth, "stopped");
	assert_int_equal(hand_submissions(hand), 0);
	assert_int_equal(hand_ask(hand, "me-gone", NULL), SPACE_WHO_ADDRESS);
	assert_int_equal(hand_submissions(hand), 1);
	app_done(&app);
}

static void serves_from_the_old_version_where_a_push_comes_in_sleep(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct app new;
	struct repo repo = hand_running(hand, "pushed", &app);
	uint16_t port;

	hand_asleep(hand, &repo);
	app_init(&new);
	hand_push_app(hand, &repo, &new, "print(2)\n");
	hand_submission(hand, 2);
	hand_wait(hand, &repo, STAGE_RUNNING_APP_STARTING);
	assert_int_equal(hand_ask(hand, "me-pushed", &port), SPACE_WHO_ADDRESS);
	assert_int_equal(port, app.port);
	expect_spans(hand, &repo, 2, 3);
	app_open(&new);
	hand_wait(hand, &repo, STAGE_RUNNING);
	hand_wait_stop(hand, hand_submission(hand, 1)->key);
	app_done(&app);
	app_done(&new);
}

static void begins_to_build_where_a_push_comes_in_deep_sleep(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = running_on(hand, "built", "t4-small", &app);

	hand_asleep(hand, &repo);
	hand_push_app(hand, &repo, &app, "print(2)\n");
	assert_int_equal(hand_ask(hand, "me-built", NULL), SPACE_WHO_ADDRESS);
	hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(hand_submissions(hand), 4);
	app_done(&app);
}

static void restarts_a_sleeper_whose_secret_has_changed(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "wished", &app);
	struct store_tx *tx;
	struct err err = ERR_INIT;

	hand_asleep(hand, &repo);
	tx = world_begin(hand->world);
	world_ok(wish_keys(store_tx_db(tx), repo.id, &err), &err);
	world_commit(tx);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_APP_STARTING);
	space_loop_wake(hand->loop, repo.id);
	hand_wait_stop(hand, hand_submission(hand, 1)->key);
	hand_submission(hand, 2);
	assert_string_equal(hand_wait(hand, &repo, STAGE_RUNNING).depth, "");
	app_done(&app);
}

static void pauses_and_restarts_a_sleeper(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "paused", &app);
	struct store_tx *tx;
	struct err err = ERR_INIT;

	hand_asleep(hand, &repo);
	tx = world_begin(hand->world);
	world_ok(wish_pause(store_tx_db(tx), repo.id, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo.id);
	hand_wait_stop(hand, hand_submission(hand, 1)->key);
	assert_int_equal(hand_ask(hand, "me-paused", NULL), SPACE_WHO_PAUSED);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_PAUSED);
	hand_restart(hand, &repo, false);
	hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(hand_submissions(hand), 3);
	app_done(&app);
}

static void deletes_a_sleeper(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "away", &app);

	hand_asleep(hand, &repo);
	hand_delete(hand, &repo);
	hand_wait_gone(hand, &repo);
	assert_int_equal(hand_ask(hand, "me-away", NULL), SPACE_WHO_UNKNOWN);
	app_done(&app);
}

struct revival {
	struct runrow row;
};

static void keep_row(void *arg, const struct runrow *row)
{
	((struct revival *)arg)->row = *row;
}

/* The hub was killed; its run is there, frozen or not. */
static void kill_hub(struct hand *hand, const struct repo *repo, const struct app *app, bool frozen,
		     struct revival *revival)
{
	struct store_read *read = NULL;
	struct err err = ERR_INIT;

	hand_stop(hand);
	world_ok(store_read_begin(hand->world->store, &read, &err), &err);
	world_ok(runrow_each_open(store_read_db(read), repo->id, keep_row, revival, &err), &err);
	store_read_end(read);
	hand->revived = &revival->row;
	hand->revived_port = app->port;
	hand->revived_frozen = frozen;
	hand_start(hand);
}

static void thaws_what_was_frozen_and_not_written(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "killed", &app);
	struct revival revival;

	kill_hub(hand, &repo, &app, true, &revival);
	assert_int_equal(hand_ask(hand, "me-killed", NULL), SPACE_WHO_ADDRESS);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_RUNNING);
	expect_spans(hand, &repo, 1, 1);
	app_done(&app);
}

static void sleeps_on_over_a_restart_of_the_hub(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "on", &app);
	struct revival revival;

	hand_asleep(hand, &repo);
	kill_hub(hand, &repo, &app, true, &revival);
	hand_settle(hand);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_SLEEPING);
	assert_int_equal(hand_ask(hand, "me-on", NULL), SPACE_WHO_ADDRESS);
	hand_wait(hand, &repo, STAGE_RUNNING);
	expect_spans(hand, &repo, 1, 2);
	app_done(&app);
}

static void writes_a_wake_that_a_killed_hub_has_begun(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "begun", &app);
	struct revival revival;

	hand_asleep(hand, &repo);
	kill_hub(hand, &repo, &app, false, &revival);
	hand_wait(hand, &repo, STAGE_RUNNING);
	expect_spans(hand, &repo, 1, 2);
	app_done(&app);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(sleeps_where_nobody_comes_and_wakes_by_a_visit),
		TEST(stays_awake_while_somebody_is_there),
		TEST(never_sleeps_where_that_is_wished),
		TEST(keeps_a_private_space_asleep_for_strangers),
		TEST(gives_a_card_back_and_starts_anew_by_a_visit),
		TEST(gives_way_where_memory_is_short),
		TEST(is_stopped_after_a_long_sleep),
		TEST(goes_on_where_it_can_not_be_suspended),
		TEST(is_paged_out_after_a_while),
		TEST(sleeps_under_a_silent_websocket_where_that_is_said),
		TEST(stays_asleep_where_its_process_is_gone),
		TEST(serves_from_the_old_version_where_a_push_comes_in_sleep),
		TEST(begins_to_build_where_a_push_comes_in_deep_sleep),
		TEST(restarts_a_sleeper_whose_secret_has_changed),
		TEST(pauses_and_restarts_a_sleeper),
		TEST(deletes_a_sleeper),
		TEST(thaws_what_was_frozen_and_not_written),
		TEST(sleeps_on_over_a_restart_of_the_hub),
		TEST(writes_a_wake_that_a_killed_hub_has_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
