#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "space/runrow.h"
#include "space/wish.h"
#include "world.h"

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* Put a Space into a stage, as the loop does: with nothing left to do. */
static void show(struct world *world, int64_t repo_id, enum stage stage, const char *error)
{
	struct space space = world_get(world, repo_id);
	struct store_tx *tx = world_begin(world);
	struct err err = ERR_INIT;

	world_ok(space_set_stage(store_tx_db(tx), &space, stage, error, &err), &err);
	world_ok(space_settle(store_tx_db(tx), &space, &err), &err);
	world_commit(tx);
}

/* One wish in a transaction, and what it must return. */
#define WISH(world, repo, expected, name, ...)                                                  \
	do {                                                                                    \
		struct store_tx *wish_tx = world_begin(world);                                  \
		struct err wish_err = ERR_INIT;                                                 \
		int changed = name(store_tx_db(wish_tx), (repo)->id, ##__VA_ARGS__, &wish_err); \
                                                                                                \
		if ((expected) >= 0)                                                            \
			world_ok(changed, &wish_err);                                           \
		else                                                                            \
			assert_int_equal(wish_err.kind, ERR_INVALID);                           \
		assert_int_equal(changed, expected);                                            \
		world_commit(wish_tx);                                                          \
	} while (0)

static void restarts_what_has_started(void **state)
{
	static const enum stage stages[] = {STAGE_RUNNING, STAGE_RUNTIME_ERROR, STAGE_STOPPED,
					    STAGE_SLEEPING, STAGE_RUNNING_APP_STARTING};
	struct world *world = *state;
	struct repo repo = world_space(world, "started");

	for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++) {
		struct space before;
		struct space after;

		show(world, repo.id, stages[i], "boom");
		before = world_get(world, repo.id);
		WISH(world, &repo, 1, wish_keys);
		after = world_get(world, repo.id);
		assert_int_equal(after.stage, STAGE_APP_STARTING);
		assert_int_equal(after.restart_nonce, before.restart_nonce + 1);
		assert_int_equal(after.generation, before.generation + 1);
		assert_int_not_equal(after.settled, after.generation);
		assert_true(after.settles_ms > 0);
		assert_string_equal(after.error, "");
	}
}

/* The run that still serves ends all the same: by the nonce. */
static void builds_nothing_anew(void **state)
{
	static const enum stage stages[] = {STAGE_BUILD_ERROR, STAGE_CONFIG_ERROR,
					    STAGE_NO_APP_FILE};
	struct world *world = *state;
	struct repo repo = world_space(world, "unbuilt");

	for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++) {
		struct space before;
		struct space after;

		show(world, repo.id, stages[i], "the reason");
		before = world_get(world, repo.id);
		WISH(world, &repo, 1, wish_keys);
		after = world_get(world, repo.id);
		assert_int_equal(after.stage, stages[i]);
		assert_int_equal(after.restart_nonce, before.restart_nonce + 1);
		assert_int_equal(after.settled, after.generation);
		assert_string_equal(after.error, "the reason");
	}
}

static void stays_paused_until_a_restart(void **state)
{
	static const char commit[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct world *world = *state;
	struct repo repo = world_space(world, "paused");
	struct store_tx *tx;
	struct space space;
	struct err err = ERR_INIT;

	WISH(world, &repo, 1, wish_pause);
	WISH(world, &repo, 0, wish_pause);
	WISH(world, &repo, 1, wish_keys);
	WISH(world, &repo, 1, wish_hardware, "t4-small", 0);
	tx = world_begin(world);
	world_ok(space_pushed(store_tx_db(tx), repo.id, commit, &err), &err);
	world_commit(tx);
	space = world_get(world, repo.id);
	assert_int_equal(space.stage, STAGE_PAUSED);
	assert_string_equal(space.commit, commit);
	tx = world_begin(world);
	world_ok(space_restart(store_tx_db(tx), repo.id, false, &err), &err);
	world_commit(tx);
	space = world_get(world, repo.id);
	assert_int_equal(space.stage, STAGE_BUILDING);
	assert_false(space.paused);
	assert_int_equal(space.settles_ms, 0); /* a restart waits for nothing */
}

static void has_sleep_times_as_its_hardware(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "sleepy");
	int64_t generation;

	WISH(world, &repo, 0, wish_sleep, 3600); /* cpu-basic has its own */
	assert_int_equal(world_get(world, repo.id).sleep_s, SPACE_SLEEP_DEFAULT_S);
	WISH(world, &repo, 1, wish_hardware, "t4-small", 0);
	assert_int_equal(world_get(world, repo.id).sleep_s, -1);
	generation = world_get(world, repo.id).generation;
	WISH(world, &repo, 1, wish_sleep, 3600);
	WISH(world, &repo, 0, wish_sleep, 3600);
	WISH(world, &repo, 0, wish_hardware, "t4-small", 0);
	WISH(world, &repo, 1, wish_hardware, "t4-small", 7200);
	assert_int_equal(world_get(world, repo.id).generation, generation); /* no restart */
	WISH(world, &repo, 1, wish_hardware, "t4-medium", 0);
	assert_int_equal(world_get(world, repo.id).sleep_s, 7200); /* stays with the Space */
	WISH(world, &repo, 1, wish_hardware, "cpu-basic", 60);
	assert_int_equal(world_get(world, repo.id).sleep_s, SPACE_SLEEP_DEFAULT_S);
	WISH(world, &repo, -1, wish_sleep, 0);
	WISH(world, &repo, -1, wish_sleep, -2);
	WISH(world, &repo, -1, wish_hardware, "t4-small", SPACE_SLEEP_MAX_S + 1);
}

static void grows_storage_only(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "stored");

	WISH(world, &repo, 0, wish_storage, "");
	WISH(world, &repo, 1, wish_storage, "small");
	WISH(world, &repo, 0, wish_storage, "small");
	WISH(world, &repo, 1, wish_storage, "large");
	WISH(world, &repo, -1, wish_storage, "medium");
	WISH(world, &repo, -1, wish_storage, "huge");
	assert_string_equal(world_get(world, repo.id).storage, "large");
	assert_int_equal(world_get(world, repo.id).data_drops, 0);
	WISH(world, &repo, 1, wish_storage, "");
	assert_string_equal(world_get(world, repo.id).storage, "");
	assert_int_equal(world_get(world, repo.id).data_drops, 1);
	WISH(world, &repo, 1, wish_storage, "small"); /* another disk */
	assert_int_equal(world_get(world, repo.id).data_drops, 1);
}

static void restarts_for_other_volumes(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "mounted");
	owned(json_decref) json_t *list =
		json_pack("[{s:s, s:s}]", "source", "a/b", "mountPath", "/x");

	show(world, repo.id, STAGE_RUNNING, "");
	WISH(world, &repo, 1, wish_volumes, list);
	assert_int_equal(world_get(world, repo.id).stage, STAGE_APP_STARTING);
	WISH(world, &repo, 0, wish_volumes, list);
	WISH(world, &repo, 1, wish_volumes, NULL);
	WISH(world, &repo, 0, wish_volumes, NULL);
}

static void asks_no_process_of_a_static_space(void **state)
{
	struct world *world = *state;
	struct repo repo = world_repo("still");
	const struct space_setup setup = {.sdk = "static"};
	struct store_tx *add = world_begin(world);
	struct err error = ERR_INIT;

	world_ok(space_add(store_tx_db(add), &repo, &setup, &error), &error);
	world_commit(add);
	show(world, repo.id, STAGE_RUNNING, "");
	WISH(world, &repo, -1, wish_pause);
	WISH(world, &repo, -1, wish_hardware, "t4-small", 0);
	WISH(world, &repo, -1, wish_sleep, 3600);
	WISH(world, &repo, -1, wish_storage, "small");
	WISH(world, &repo, -1, wish_volumes, NULL);
	WISH(world, &repo, 1, wish_keys);
	assert_int_equal(world_get(world, repo.id).stage, STAGE_RUNNING);
}

static void knows_no_space_that_is_gone(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "leaving");
	struct store_tx *tx = world_begin(world);
	struct err err = ERR_INIT;

	world_ok(space_delete(store_tx_db(tx), repo.id, &err), &err);
	assert_int_equal(wish_keys(store_tx_db(tx), repo.id, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REPO);
	assert_int_equal(wish_pause(store_tx_db(tx), 999, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REPO);
	store_tx_end(tx);
}

/* A version of the Space's wish that answers visitors; the stage is one that it goes on from. */
static void serve(struct world *world, const struct repo *repo, enum stage stage)
{
	struct space space = world_get(world, repo->id);
	struct store_tx *tx = world_begin(world);
	struct runrow row = {.kind = ENGINE_APP, .repo_id = repo->id, .log = 1};
	struct err err = ERR_INIT;

	row.generation = space.generation;
	row.restart_nonce = space.restart_nonce;
	snprintf(row.key, sizeof(row.key), "%s-%lld", repo->hex, (long long)row.generation);
	world_ok(space_set_stage(store_tx_db(tx), &space, stage, "", &err), &err);
	space.generation = 0; /* there is something to do for every one */
	world_ok(space_settle(store_tx_db(tx), &space, &err), &err);
	world_ok(runrow_add(store_tx_db(tx), &row, &err), &err);
	world_ok(runrow_ready(store_tx_db(tx), &row, 0, &err), &err);
	world_commit(tx);
}

static void stops_nothing_for_hardware_that_must_be_waited_for(void **state)
{
	static const enum stage stages[] = {STAGE_RUNNING, STAGE_SLEEPING};
	struct world *world = *state;
	struct repo repo;

	for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++) {
		struct space before;
		struct space after;

		repo = world_space(world, stage_name(stages[i]));
		serve(world, &repo, stages[i]);
		before = world_get(world, repo.id);
		WISH(world, &repo, 1, wish_hardware_later, "t4-small", 0);
		WISH(world, &repo, 0, wish_hardware_later, "t4-small", 0);
		after = world_get(world, repo.id);
		assert_int_equal(after.stage, stages[i]);
		assert_string_equal(after.flavor, "t4-small");
		assert_int_equal(after.restart_nonce, before.restart_nonce);
		assert_int_equal(after.generation, before.generation + 1);
		assert_int_not_equal(after.settled, after.generation);
	}
}

static void what_serves_goes_on_until_the_next_may_begin(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "up");
	struct space before;
	struct space after;

	serve(world, &repo, STAGE_RUNNING);
	before = world_get(world, repo.id);
	WISH(world, &repo, 1, wish_hardware, "t4-small", 0);
	after = world_get(world, repo.id);
	assert_int_equal(after.stage, STAGE_RUNNING_BUILDING);
	assert_int_equal(after.restart_nonce, before.restart_nonce);
	assert_true(after.settles_ms > before.settles_ms);
	assert_int_equal(after.generation, before.generation + 1);
}

static void starts_anew_for_it_where_nothing_serves(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "down");

	show(world, repo.id, STAGE_RUNTIME_ERROR, "boom");
	WISH(world, &repo, 1, wish_hardware_later, "t4-small", 0);
	assert_int_equal(world_get(world, repo.id).stage, STAGE_APP_STARTING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(restarts_what_has_started),
		TEST(builds_nothing_anew),
		TEST(stays_paused_until_a_restart),
		TEST(has_sleep_times_as_its_hardware),
		TEST(grows_storage_only),
		TEST(restarts_for_other_volumes),
		TEST(asks_no_process_of_a_static_space),
		TEST(knows_no_space_that_is_gone),
		TEST(stops_nothing_for_hardware_that_must_be_waited_for),
		TEST(what_serves_goes_on_until_the_next_may_begin),
		TEST(starts_anew_for_it_where_nothing_serves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
