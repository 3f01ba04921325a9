#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hand.h"
#include "space/wish.h"

static const char yaml[] = "- {name: cpu-basic, title: b, cpu: 1, memory: 1}\n"
			   "- {name: single, title: One at a time, cpu: 1, memory: 1, count: 1}\n";

/* One may start at a time. Apps answer when they are opened. */
static struct hand *hand;
static struct hardware *hardware;
static struct app apps[5];
static struct repo repos[5];
static sem_t answered;
static const size_t before = 1; /* submissions of the set-up */

static void set_rush(int64_t rush_ms)
{
	hand_stop(hand);
	hand->config.rush_max = 1;
	hand->config.rush_ms = rush_ms;
	hand->config.settle_ms = 1;
	hand->config.hardware = hardware;
	hand_start(hand);
}

/* The environment is there; then one starts, and others want to. */
static int setup(void **state)
{
	static const char *const names[] = {"ready", "first", "second", "third"};
	struct err err = ERR_INIT;

	world_ok(hardware_parse(yaml, strlen(yaml), &hardware, &err), &err);
	sem_init(&answered, 0, 0);
	hand = hand_new();
	repos[0] = hand_running(hand, names[0], &apps[0]);
	set_rush(INT64_C(60) * 60 * 1000);
	hand_submission(hand, before - 1);
	hand_wait(hand, &repos[0], STAGE_RUNNING);
	for (size_t i = 1; i < 4; i++) {
		repos[i] = world_space(hand->world, names[i]);
		app_init(&apps[i]);
		hand_push_app(hand, &repos[i], &apps[i], "print(1)\n");
		if (i == 1)
			hand_wait(hand, &repos[i], STAGE_APP_STARTING);
		hand_wait_standing(hand, i - 1);
	}
	return 0;
}

static int teardown(void **state)
{
	hand_free(hand);
	for (size_t i = 0; i < 4; i++)
		app_done(&apps[i]);
	sem_destroy(&answered);
	hardware_free(hardware);
	return 0;
}

/* The next of them that the engine was told to start. */
static const struct repo *started(size_t index)
{
	const struct engine_spec *spec = hand_submission(hand, before + index);

	for (size_t i = 0; i < 5; i++)
		if (strcmp(repos[i].hex, spec->space) == 0)
			return &repos[i];
	fail_msg("%s is none of ours", spec->space);
	return NULL;
}

static void open_app(size_t index)
{
	app_open(&apps[index]);
	hand_wait(hand, &repos[index], STAGE_RUNNING);
}

static void one_after_the_other(void **state)
{
	assert_ptr_equal(started(0), &repos[1]);
	hand_settle(hand);
	assert_int_equal(hand_submissions(hand), before + 1);
	open_app(1);
	assert_ptr_equal(started(1), &repos[2]);
	hand_wait_standing(hand, 1);
	assert_int_equal(hand_submissions(hand), before + 2);
	open_app(2);
	assert_ptr_equal(started(2), &repos[3]);
	open_app(3);
}

static void on_answer(void *arg, enum space_who who, uint32_t address, uint16_t port)
{
	assert_int_equal(who, SPACE_WHO_ADDRESS);
	sem_post(&answered);
}

static void whom_somebody_waits_for_comes_first(void **state)
{
	space_loop_who(hand->loop, &(struct space_ask){.slug = "me-third", .waits = true},
		       on_answer, NULL);
	open_app(1);
	assert_ptr_equal(started(1), &repos[3]);
	open_app(3);
	sem_wait(&answered);
	assert_ptr_equal(started(2), &repos[2]);
}

static void who_is_paused_waits_no_more(void **state)
{
	struct store_tx *tx;
	struct err err = ERR_INIT;

	tx = world_begin(hand->world);
	world_ok(wish_pause(store_tx_db(tx), repos[2].id, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repos[2].id);
	hand_wait(hand, &repos[2], STAGE_PAUSED);
	open_app(1);
	assert_ptr_equal(started(1), &repos[3]);
}

static void ask_for_single(const struct repo *repo)
{
	struct store_tx *tx = world_begin(hand->world);
	struct err err = ERR_INIT;

	world_ok(wish_hardware(store_tx_db(tx), repo->id, "single", 0, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo->id);
}

static void who_waits_for_hardware_holds_nobody_back(void **state)
{
	ask_for_single(&repos[2]);
	ask_for_single(&repos[3]);
	repos[4] = world_space(hand->world, "fourth");
	app_init(&apps[4]);
	hand_push_app(hand, &repos[4], &apps[4], "print(1)\n");
	hand_wait_standing(hand, 3);
	open_app(1);
	assert_ptr_equal(started(1), &repos[2]);
	open_app(2);
	assert_ptr_equal(started(2), &repos[4]); /* the third has no place to run on */
	open_app(4);
	app_done(&apps[4]);
}

static void a_start_that_ends_makes_room(void **state)
{
	hand_end_app(hand, hand_submission(hand, before), 0, false, NULL);
	hand_wait(hand, &repos[1], STAGE_STOPPED);
	assert_ptr_equal(started(1), &repos[2]);
}

static void one_that_takes_long_counts_no_more(void **state)
{
	set_rush(200); /* a new hub, whose engine has lost all runs */
	hand_submission(hand, 3);
	assert_int_equal(hand_submissions(hand), 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_after_the_other),          TEST(whom_somebody_waits_for_comes_first),
		TEST(who_is_paused_waits_no_more),  TEST(who_waits_for_hardware_holds_nobody_back),
		TEST(a_start_that_ends_makes_room), TEST(one_that_takes_long_counts_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
