#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "space/runrow.h"
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

static const char commit_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char commit_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static json_t *json(const char *text)
{
	json_t *value = NULL;
	struct err err = ERR_INIT;

	world_ok(json_parse(text, strlen(text), &value, &err), &err);
	return value;
}

static void expect_refused(const struct space_setup *setup, const char *part)
{
	struct err err = ERR_INIT;

	assert_int_equal(space_setup_check(setup, &err), -1);
	assert_true(err.kind == ERR_INVALID || err.kind == ERR_TOO_LARGE);
	if (!strstr(err.text, part))
		fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void names_the_field_that_is_wrong(void **state)
{
	owned(json_decref) json_t *no_list = json("{}");
	owned(json_decref) json_t *no_value = json("[{\"key\":\"A\"}]");
	owned(json_decref) json_t *bad_key = json("[{\"key\":\"1A\",\"value\":\"x\"}]");
	owned(json_decref) json_t *no_path = json("[{\"source\":\"a/b\",\"mountPath\":\"x\"}]");
	struct err err = ERR_INIT;

	world_ok(space_setup_check(&(struct space_setup){.sdk = "gradio", .sleep_s = -1}, &err),
		 &err);
	expect_refused(&(struct space_setup){.sdk = NULL}, "sdk must be one of");
	expect_refused(&(struct space_setup){.sdk = "flask"}, "sdk must be one of");
	expect_refused(&(struct space_setup){.sdk = "gradio", .storage = "huge"}, "storageTier");
	expect_refused(&(struct space_setup){.sdk = "gradio", .sleep_s = -2}, "sleepTimeSeconds");
	expect_refused(&(struct space_setup){.sdk = "gradio", .secrets = no_list}, "secrets");
	expect_refused(&(struct space_setup){.sdk = "gradio", .secrets = no_value}, "secrets");
	expect_refused(&(struct space_setup){.sdk = "gradio", .variables = bad_key}, "variables");
	expect_refused(&(struct space_setup){.sdk = "gradio", .volumes = no_path}, "mountPath");
}

static void makes_host_names_that_are_unique(void **state)
{
	struct world *world = *state;
	struct repo plain = world_space(world, "My_App.v2");
	struct repo twin = world_space(world, "my-app-v2");
	struct repo endless = world_space(world, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
						 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	struct space one = world_get(world, plain.id);
	struct space two = world_get(world, twin.id);
	struct space three = world_get(world, endless.id);

	assert_string_equal(one.slug, "me-my-app-v2");
	assert_memory_equal(two.slug, "me-my-app-v2-", 13);
	assert_int_equal(strlen(two.slug), 12 + 7);
	assert_int_equal(strlen(three.slug), 63);
	assert_int_equal(three.slug[56], '-');
}

static void leaves_the_name_of_a_deleted_space_free(void **state)
{
	struct world *world = *state;
	struct repo old = world_space(world, "demo");
	struct store_tx *tx = world_begin(world);
	struct repo next;
	struct err err = ERR_INIT;

	world_ok(space_delete(store_tx_db(tx), old.id, &err), &err);
	world_ok(space_delete(store_tx_db(tx), old.id, &err), &err);
	world_commit(tx);
	assert_int_equal(world_get(world, old.id).stage, STAGE_DELETING);
	next = world_space(world, "demo");
	assert_string_equal(world_get(world, next.id).slug, "me-demo");
}

static void keeps_all_wishes_of_a_new_space(void **state)
{
	struct world *world = *state;
	owned(json_decref) json_t *secrets = json("[{\"key\":\"A\",\"value\":\"x\"}]");
	owned(json_decref) json_t *variables =
		json("[{\"key\":\"B\",\"value\":\"y\",\"description\":\"d\"}]");
	owned(json_decref) json_t *volumes = json("[{\"source\":\"a/b\",\"mountPath\":\"/v\"}]");
	const struct space_setup setup = {.sdk = "gradio",
					  .flavor = hardware_find(world->hardware, "t4-small"),
					  .storage = "small",
					  .sleep_s = 3600,
					  .secrets = secrets,
					  .variables = variables,
					  .volumes = volumes,
					  .vault = world->vault};
	struct repo repo = world_repo("wishes");
	struct store_tx *tx = world_begin(world);
	struct space space;
	struct err err = ERR_INIT;

	world_ok(space_add(store_tx_db(tx), &repo, &setup, &err), &err);
	world_commit(tx);
	space = world_get(world, repo.id);
	assert_string_equal(space.flavor, "t4-small");
	assert_string_equal(space.storage, "small");
	assert_int_equal(space.sleep_s, 3600);
	assert_int_equal(space.stage, STAGE_NO_APP_FILE);
	assert_string_equal(space.owner_hex, "0a0a0a0a0a0a0a0a0a0a0a0a");
}

static void shows_the_app_of_a_protected_space(void **state)
{
	static const struct {
		bool is_private, is_protected, hides_app;
	} cases[] = {{false, false, false}, {true, false, true}, {true, true, false}};
	struct world *world = *state;
	const struct space_setup setup = {.sdk = "gradio"};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct repo repo = world_repo("seen");
		struct store_tx *tx = world_begin(world);

		repo.is_private = cases[i].is_private;
		repo.is_protected = cases[i].is_protected;
		world_ok(space_add(store_tx_db(tx), &repo, &setup, &err), &err);
		world_commit(tx);
		assert_int_equal(world_get(world, repo.id).is_private, cases[i].hides_app);
	}
}

static void push(struct world *world, int64_t id, const char *commit)
{
	struct store_tx *tx = world_begin(world);
	struct err err = ERR_INIT;

	world_ok(space_pushed(store_tx_db(tx), id, commit, &err), &err);
	world_commit(tx);
}

static void shows_a_push_at_once(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "pushed");
	struct space before = world_get(world, repo.id);
	struct space after;

	push(world, repo.id, commit_a);
	after = world_get(world, repo.id);
	assert_int_equal(after.stage, STAGE_BUILDING);
	assert_int_equal(after.generation, before.generation + 1);
	assert_int_equal(after.build_log, 1);
	assert_string_equal(after.commit, commit_a);
	push(world, repo.id, commit_a); /* the same again changes nothing */
	assert_int_equal(world_get(world, repo.id).generation, after.generation);
}

/* An app that answers visitors. */
static struct runrow serve(struct world *world, int64_t repo_id)
{
	struct runrow row = {.kind = ENGINE_APP, .repo_id = repo_id, .generation = 2, .log = 1};
	struct store_tx *tx = world_begin(world);
	struct err err = ERR_INIT;

	snprintf(row.key, sizeof(row.key), "run-%lld", (long long)repo_id);
	world_ok(runrow_add(store_tx_db(tx), &row, &err), &err);
	world_ok(runrow_started(store_tx_db(tx), &row, 10, &err), &err);
	world_ok(runrow_ready(store_tx_db(tx), &row, 20, &err), &err);
	world_commit(tx);
	return row;
}

static void says_that_an_old_version_serves(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "serving");
	struct store_tx *tx;
	struct err err = ERR_INIT;

	push(world, repo.id, commit_a);
	serve(world, repo.id);
	push(world, repo.id, commit_b);
	assert_int_equal(world_get(world, repo.id).stage, STAGE_RUNNING_BUILDING);

	tx = world_begin(world); /* a restart ends the old version */
	world_ok(space_restart(store_tx_db(tx), repo.id, false, &err), &err);
	world_commit(tx);
	assert_int_equal(world_get(world, repo.id).stage, STAGE_BUILDING);
	assert_int_equal(world_get(world, repo.id).build_log, 2);
	push(world, repo.id, commit_a);
	assert_int_equal(world_get(world, repo.id).stage, STAGE_BUILDING);
}

static void counts_factory_restarts(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "factory");
	struct store_tx *tx = world_begin(world);
	struct space space;
	struct err err = ERR_INIT;

	world_ok(space_restart(store_tx_db(tx), repo.id, true, &err), &err);
	assert_int_equal(space_restart(store_tx_db(tx), 999, true, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REPO);
	world_commit(tx);
	space = world_get(world, repo.id);
	assert_int_equal(space.factory_nonce, 1);
	assert_int_equal(space.restart_nonce, 1);
	assert_int_equal(space.build_log, 1);
}

static void lets_a_newer_wish_win_over_the_loop(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "race");
	struct space seen;
	struct space now;
	struct store_tx *tx;
	struct err err = ERR_INIT;

	push(world, repo.id, commit_a);
	seen = world_get(world, repo.id);
	push(world, repo.id, commit_b);
	tx = world_begin(world);
	world_ok(space_set_stage(store_tx_db(tx), &seen, STAGE_BUILD_ERROR, "x", &err), &err);
	world_ok(space_settle(store_tx_db(tx), &seen, &err), &err);
	world_commit(tx);
	now = world_get(world, repo.id);
	assert_int_equal(now.stage, STAGE_BUILDING);
	assert_string_equal(now.error, "");
	assert_int_not_equal(now.settled, now.generation);
}

static void has_the_recorded_runtime_shape(void **state)
{
	struct space space = {.sdk = "gradio",
			      .stage = STAGE_BUILDING,
			      .flavor = "cpu-basic",
			      .sleep_s = SPACE_SLEEP_DEFAULT_S};
	owned(json_decref) json_t *building = space_runtime_json(&space, "me-x.localhost:8080");
	owned(json_decref) json_t *wanted =
		json("{\"stage\":\"BUILDING\",\"hardware\":{\"current\":null,\"requested\":"
		     "\"cpu-basic\"},\"storage\":null,\"gcTimeout\":172800,\"replicas\":"
		     "{\"requested\":1},\"devMode\":false,\"domains\":[{\"domain\":"
		     "\"me-x.localhost:8080\",\"stage\":\"READY\"}]}");
	owned(json_decref) json_t *still = NULL;
	owned(json_decref) json_t *wanted_static =
		json("{\"stage\":\"RUNNING\",\"hardware\":{\"current\":null,\"requested\":null},"
		     "\"storage\":null,\"replicas\":{\"requested\":1,\"current\":1}}");

	assert_true(json_equal(building, wanted));
	space = (struct space){.sdk = "static", .stage = STAGE_RUNNING, .flavor = "cpu-basic"};
	still = space_runtime_json(&space, "me-x.localhost:8080");
	assert_true(json_equal(still, wanted_static));
}

static void tells_how_it_sleeps_and_what_the_last_wake_took(void **state)
{
	struct space space = {.sdk = "gradio",
			      .stage = STAGE_SLEEPING,
			      .flavor = "t4-small",
			      .current_flavor = "t4-small",
			      .depth = "frozen",
			      .wake_ms = 12};
	owned(json_decref) json_t *asleep = space_runtime_json(&space, "me-demo.localhost");
	const json_t *sleep = json_object_get(asleep, "sleep");

	assert_string_equal(json_string_value(json_object_get(sleep, "depth")), "frozen");
	assert_int_equal(json_integer_value(json_object_get(sleep, "lastWakeMs")), 12);
	assert_true(json_is_null(json_object_get(json_object_get(asleep, "hardware"), "current")));
}

static void tells_error_commit_and_hardware_of_what_runs(void **state)
{
	struct space space = {.sdk = "gradio",
			      .stage = STAGE_RUNTIME_ERROR,
			      .flavor = "t4-small",
			      .sleep_s = -1,
			      .error = "exit status 1",
			      .current_flavor = "cpu-basic"};
	owned(json_decref) json_t *json = NULL;

	memcpy(space.running_commit, commit_a, sizeof(commit_a));
	json = space_runtime_json(&space, "h");
	assert_string_equal(json_string_value(json_object_get(json, "errorMessage")),
			    "exit status 1");
	assert_string_equal(json_string_value(json_object_get(json, "sha")), commit_a);
	assert_true(json_is_null(json_object_get(json, "gcTimeout")));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "hardware"), "current")),
		"cpu-basic");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(names_the_field_that_is_wrong),
		TEST(makes_host_names_that_are_unique),
		TEST(leaves_the_name_of_a_deleted_space_free),
		TEST(keeps_all_wishes_of_a_new_space),
		TEST(shows_the_app_of_a_protected_space),
		TEST(shows_a_push_at_once),
		TEST(says_that_an_old_version_serves),
		TEST(counts_factory_restarts),
		TEST(lets_a_newer_wish_win_over_the_loop),
		TEST(has_the_recorded_runtime_shape),
		TEST(tells_error_commit_and_hardware_of_what_runs),
		TEST(tells_how_it_sleeps_and_what_the_last_wake_took),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
