#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "build/runlog.h"
#include "hand.h"
#include "space/keys.h"
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

static void expect_log(struct hand *hand, const struct repo *repo, const char *name,
		       const char *part)
{
	owned(free) char *path =
		mem_format("%s/spaces/%s/logs/%s", hand->world->path, repo->hex, name);
	owned(str_done) struct str text = str_new(RUNLOG_TAIL_MAX);

	runlog_tail(path, RUNLOG_TAIL_MAX, &text);
	if (!strstr(text.data, part))
		fail_msg("%s does not say \"%s\": %s", name, part, text.data);
	if (!runlog_is_over(path))
		fail_msg("%s is not over", name);
}

static void expect_env(const struct engine_spec *spec, const char *var)
{
	for (const char *const *at = spec->env; *at; at++)
		if (strcmp(*at, var) == 0)
			return;
	fail_msg("the app gets no %s", var);
}

static void leads_a_push_to_a_running_app(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_space(hand->world, "hello");
	const struct engine_spec *build;
	const struct engine_spec *run;
	struct app app;
	struct space space;
	uint16_t port;

	app_init(&app);
	hand_push_app(hand, &repo, &app, "print(1)\n");
	build = hand_submission(hand, 0);
	assert_int_equal(build->kind, ENGINE_BUILD);
	assert_string_equal(build->log, "build-1.log");
	assert_string_equal(build->cache, "shared");
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_BUILDING);
	hand_end_build(hand, build, 0, "installed");
	run = hand_submission(hand, 1);
	assert_string_equal(run->layers[0], build->result);
	assert_int_equal(run->port, app.port);
	assert_string_equal(run->argv[1], "app.py");
	expect_env(run, "SPACE_ID=me/hello");
	expect_env(run, "SPACE_HOST=me-hello.localhost:8080");
	space = hand_wait(hand, &repo, STAGE_APP_STARTING);
	assert_string_equal(space.running_commit, "");
	app_open(&app);
	assert_int_equal(hand_ask(hand, space.slug, &port), SPACE_WHO_ADDRESS); /* is held */
	assert_int_equal(port, app.port);
	space = hand_wait(hand, &repo, STAGE_RUNNING);
	assert_string_equal(space.running_commit, space.commit);
	assert_string_equal(space.current_flavor, "cpu-basic");
	expect_log(hand, &repo, "build-1.log", "Build finished");
	app_done(&app);
}

static void serves_the_old_version_until_the_new_one_answers(void **state)
{
	struct hand *hand = *state;
	struct app old;
	struct app new;
	struct repo repo = hand_running(hand, "swap", &old);
	const struct engine_spec *run;
	uint16_t port;

	app_init(&new);
	hand_push_app(hand, &repo, &new, "print(2)\n");
	run = hand_submission(hand, 2); /* no build between: the environment is the same */
	assert_int_equal(run->kind, ENGINE_APP);
	hand_wait(hand, &repo, STAGE_RUNNING_APP_STARTING);
	assert_int_equal(hand_ask(hand, "me-swap", &port), SPACE_WHO_ADDRESS);
	assert_int_equal(port, old.port);
	assert_int_equal(hand_stops(hand, hand_submission(hand, 1)->key), 0);
	app_open(&new);
	hand_wait(hand, &repo, STAGE_RUNNING);
	hand_wait_stop(hand, hand_submission(hand, 1)->key);
	hand_ask(hand, "me-swap", &port);
	assert_int_equal(port, new.port);
	assert_int_equal(hand_stops(hand, run->key), 0);
	app_done(&old);
	app_done(&new);
}

static void keeps_the_old_version_where_the_new_one_fails(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct app broken;
	struct repo repo = hand_running(hand, "keep", &app);
	struct space space;
	uint16_t port;

	app_init(&broken);
	hand_push_app(hand, &repo, &broken, "raise SystemExit(1)\n");
	hand_end_app(hand, hand_submission(hand, 2), 1, false, "Traceback: boom");
	space = hand_wait(hand, &repo, STAGE_RUNTIME_ERROR);
	assert_non_null(strstr(space.error, "exit status 1"));
	assert_non_null(strstr(space.error, "Traceback: boom"));
	expect_log(hand, &repo, "run-2.log", "Traceback: boom");
	assert_int_equal(hand_ask(hand, "me-keep", &port), SPACE_WHO_ADDRESS);
	assert_int_equal(port, app.port);
	assert_int_equal(hand_stops(hand, hand_submission(hand, 1)->key), 0);
	hand_push_app(hand, &repo, &app, "print('repaired')\n");
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_RUNNING_BUILDING);
	hand_wait(hand, &repo, STAGE_RUNNING);
	app_done(&app);
	app_done(&broken);
}

static void starts_a_crashed_app_again_until_it_crashes_too_often(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "crash", &app);
	struct space space;

	for (size_t i = 1; i < 5; i++) {
		hand_end_app(hand, hand_submission(hand, i), 1, false, NULL);
		hand_submission(hand, i + 1);
		hand_wait(hand, &repo, STAGE_RUNNING);
	}
	hand_end_app(hand, hand_submission(hand, 5), 1, false, "the last words");
	space = hand_wait(hand, &repo, STAGE_RUNTIME_ERROR);
	assert_non_null(strstr(space.error, "again and again"));
	assert_non_null(strstr(space.error, "the last words"));
	assert_int_equal(hand_ask(hand, "me-crash", NULL), SPACE_WHO_ERROR);
	assert_int_equal(hand_submissions(hand), 6);
	assert_string_equal(space.current_flavor, "");
	app_done(&app);
}

static void begins_anew_what_was_lost_before_it_was_done(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_space(hand->world, "lost");
	struct app app;

	app_init(&app);
	hand_push_app(hand, &repo, &app, "x\n");
	hand_end_build(hand, hand_submission(hand, 0), ENGINE_LOST, "half of it");
	assert_string_equal(hand_submission(hand, 1)->key, hand_submission(hand, 0)->key);
	hand_end_build(hand, hand_submission(hand, 1), 0, NULL);
	hand_end_app(hand, hand_submission(hand, 2), ENGINE_LOST, false, NULL);
	assert_string_not_equal(hand_submission(hand, 3)->key, hand_submission(hand, 2)->key);
	app_open(&app);
	assert_string_equal(hand_wait(hand, &repo, STAGE_RUNNING).error, "");
	expect_log(hand, &repo, "build-1.log", "begins anew");
	app_done(&app);
}

static void tries_again_what_the_machine_could_not_do(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_space(hand->world, "full");
	struct app app;
	size_t last = 2;

	app_init(&app);
	hand_push_app(hand, &repo, &app, "x\n");
	hand_end_build(hand, hand_submission(hand, 0), ENGINE_DEFERRED, "");
	assert_string_equal(hand_submission(hand, 1)->key, hand_submission(hand, 0)->key);
	hand_end_build(hand, hand_submission(hand, 1), 0, NULL);
	/* More often than an app may crash: it is none of its faults. */
	for (; last < 10; last++)
		hand_end_app(hand, hand_submission(hand, last), ENGINE_DEFERRED, false, NULL);
	hand_submission(hand, last);
	app_open(&app);
	assert_string_equal(hand_wait(hand, &repo, STAGE_RUNNING).error, "");
	expect_log(hand, &repo, "build-1.log", "tries again by itself");
	expect_log(hand, &repo, "run-1.log", "tries again by itself");
	app_done(&app);
}

static void says_what_to_do_when_a_build_filled_the_disk(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_space(hand->world, "big");
	struct app app;

	app_init(&app);
	hand_push_app(hand, &repo, &app, "x\n");
	hand_end_build(
		hand, hand_submission(hand, 0), 2,
		"error: failed to write\n  Caused by: No space left on device (os error 28)");
	assert_string_equal(
		hand_wait(hand, &repo, STAGE_BUILD_ERROR).error,
		"this server's disk was full: when there is room again, restart the Space");
	app_done(&app);
}

static void takes_exit_status_0_without_a_port_for_no_error(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_space(hand->world, "train");
	struct app app;

	app_init(&app);
	hand_push_app(hand, &repo, &app, "train()\n");
	hand_end_build(hand, hand_submission(hand, 0), 0, NULL);
	hand_end_app(hand, hand_submission(hand, 1), 0, false, NULL);
	assert_string_equal(hand_wait(hand, &repo, STAGE_STOPPED).error, "");
	assert_int_equal(hand_ask(hand, "me-train", NULL), SPACE_WHO_STOPPED);
	app_done(&app);
}

static void names_the_memory_limit(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_space(hand->world, "big");
	struct app app;

	app_init(&app);
	hand_push_app(hand, &repo, &app, "x\n");
	hand_end_build(hand, hand_submission(hand, 0), 0, NULL);
	hand_end_app(hand, hand_submission(hand, 1), 137, true, NULL);
	assert_non_null(strstr(hand_wait(hand, &repo, STAGE_RUNTIME_ERROR).error,
			       "out of memory: the limit of 16Gi was reached"));
	app_done(&app);
}

static void gives_up_an_app_that_never_answers(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_space(hand->world, "silent");
	struct app app;
	owned(free) char *card = NULL;
	const struct engine_spec *run;

	app_init(&app);
	card = mem_format("sdk_version: 6.31.0\napp_port: %u\nstartup_duration_timeout: 1s\n",
			  (unsigned)app.port);
	hand_push(hand, &repo, card, "x\n", "");
	hand_end_build(hand, hand_submission(hand, 0), 0, NULL);
	run = hand_submission(hand, 1);
	assert_non_null(
		strstr(hand_wait(hand, &repo, STAGE_RUNTIME_ERROR).error, "no HTTP answer"));
	hand_wait_stop(hand, run->key);
	assert_int_equal(hand_submissions(hand), 2);
	app_done(&app);
}

static void shares_one_build_and_its_failure(void **state)
{
	struct hand *hand = *state;
	struct repo one = world_space(hand->world, "one");
	struct repo two = world_space(hand->world, "two");
	struct app app;
	struct space space;

	app_init(&app);
	hand_push_app(hand, &one, &app, "x\n");
	hand_submission(hand, 0);
	hand_push_app(hand, &two, &app, "y\n");
	while (*world_get(hand->world, two.id).plan.env_layer == '\0') {
	}
	hand_ask(hand, "nobody", NULL); /* the loop has looked at it */
	hand_end_build(hand, hand_submission(hand, 0), 1,
		       "error: No solution found\n  cause: nope was not found");
	assert_memory_equal(hand_wait(hand, &one, STAGE_BUILD_ERROR).error, "error: No", 9);
	space = hand_wait(hand, &two, STAGE_BUILD_ERROR);
	assert_non_null(strstr(space.error, "nope was not found"));
	expect_log(hand, &two, "build-1.log", "nope was not found");
	assert_int_equal(hand_submissions(hand), 1);
	assert_int_equal(hand_ask(hand, "me-one", NULL), SPACE_WHO_ERROR);

	hand_restart(hand, &one, false); /* another try, in a log of its own */
	assert_string_equal(hand_submission(hand, 1)->log, "build-2.log");
	app_done(&app);
}

static void tries_sources_for_the_owner_alone(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_space(hand->world, "source");
	const struct engine_spec *first;
	const struct engine_spec *second;
	struct app app;

	app_init(&app);
	hand_push_app(hand, &repo, &app, "x\n");
	first = hand_submission(hand, 0);
	hand_end_build(hand, first, 1,
		       "error: x\nhint: building from source is disabled for all packages");
	second = hand_submission(hand, 1);
	assert_string_equal(second->cache, "0a0a0a0a0a0a0a0a0a0a0a0a");
	assert_string_not_equal(second->key, first->key);
	hand_end_build(hand, second, 1, "error: still not");
	hand_wait(hand, &repo, STAGE_BUILD_ERROR);
	assert_int_equal(hand_submissions(hand), 2);
	app_done(&app);
}

static void says_what_is_wrong_with_the_repository(void **state)
{
	struct hand *hand = *state;
	struct repo empty = world_space(hand->world, "empty");
	struct repo bad = world_space(hand->world, "bad");
	struct repo other = world_space(hand->world, "other");
	struct repo packages = world_space(hand->world, "packages");

	hand_push(hand, &empty, "sdk: gradio\n", NULL, "");
	hand_push(hand, &bad, "a: &x 1\nb: *x\n", "x\n", "");
	hand_push(hand, &other, "sdk: docker\n", "x\n", "");
	hand_push(hand, &packages, "sdk: gradio\n", "x\n", "-r missing.txt\n");
	hand_wait(hand, &empty, STAGE_NO_APP_FILE);
	assert_non_null(strstr(hand_wait(hand, &bad, STAGE_CONFIG_ERROR).error, "aliases"));
	assert_non_null(strstr(hand_wait(hand, &other, STAGE_CONFIG_ERROR).error,
			       "docker Spaces are not supported yet"));
	assert_non_null(strstr(hand_wait(hand, &packages, STAGE_BUILD_ERROR).error, "missing.txt"));
	expect_log(hand, &packages, "build-1.log", "missing.txt");
	assert_int_equal(hand_submissions(hand), 0);
}

static void waits_for_the_base_system(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_space(hand->world, "early");
	owned(free) char *link = mem_format("%s/layers/base", hand->world->path);
	const struct engine_spec *build;
	struct app app;

	assert_int_equal(unlink(link), 0);
	app_init(&app);
	hand_push_app(hand, &repo, &app, "x\n");
	hand_ask(hand, "nobody", NULL); /* the loop has read the Space */
	hand_submissions(hand);         /* and finished its step */
	assert_int_equal(symlink("base-1", link), 0);
	build = hand_submission(hand, 0);
	hand_end_build(hand, build, 0, NULL);
	hand_submission(hand, 1);
	expect_log(hand, &repo, "build-1.log", "waiting for the base system");
	app_done(&app);
}

static void stops_before_it_starts_again(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "again", &app);
	const struct engine_spec *old = hand_submission(hand, 1);
	const struct engine_spec *new;

	hand_restart(hand, &repo, false);
	new = hand_submission(hand, 2);
	assert_int_equal(hand_stops(hand, old->key), 1);
	assert_string_equal(new->layers[0], old->layers[0]);
	assert_string_equal(new->log, "run-2.log");
	hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(hand_submissions(hand), 3);
	expect_log(hand, &repo, "run-1.log", "ended by signal 15");
	app_done(&app);
}

static void builds_anew_for_a_factory_restart(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "anew", &app);
	const struct engine_spec *build;

	hand_restart(hand, &repo, true);
	build = hand_submission(hand, 2);
	assert_int_equal(build->kind, ENGINE_BUILD);
	assert_string_not_equal(build->key, hand_submission(hand, 0)->key);
	hand_end_build(hand, build, 0, NULL);
	hand_wait(hand, &repo, STAGE_RUNNING);
	app_done(&app);
}

static void deletes_a_space_that_builds(void **state)
{
	struct hand *hand = *state;
	struct repo repo = world_space(hand->world, "gone");
	owned(free) char *folder = mem_format("%s/spaces/%s", hand->world->path, repo.hex);
	const struct engine_spec *build;
	struct app app;

	app_init(&app);
	hand_push_app(hand, &repo, &app, "x\n");
	build = hand_submission(hand, 0);
	hand_delete(hand, &repo);
	hand_wait_gone(hand, &repo);
	assert_int_equal(hand_stops(hand, build->key), 1);
	assert_false(file_exists(AT_FDCWD, folder));
	assert_int_equal(hand_ask(hand, "me-gone", NULL), SPACE_WHO_UNKNOWN);
	app_done(&app);
}

static void deletes_a_space_that_runs(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "away", &app);
	const struct engine_spec *run = hand_submission(hand, 1);
	owned(free) char *layer = mem_format("%s/layers/%s", hand->world->path, run->layers[1]);
	struct route_usage usage;

	assert_true(file_exists(AT_FDCWD, layer));
	hand_delete(hand, &repo);
	hand_wait_gone(hand, &repo);
	assert_int_equal(hand_stops(hand, run->key), 1);
	assert_false(file_exists(AT_FDCWD, layer));
	hand_stop(hand);
	assert_false(route_usage(hand->route, "me-away", &usage));
	app_done(&app);
}

/* Ask for storage, or give it up, as the API does. */
static void set_storage(struct hand *hand, const struct repo *repo, const char *tier)
{
	struct store_tx *tx = world_begin(hand->world);
	struct err err = ERR_INIT;

	world_ok(wish_storage(store_tx_db(tx), repo->id, tier, &err), &err);
	world_commit(tx);
	if (hand->loop)
		space_loop_wake(hand->loop, repo->id);
}

/* These tests are not about the time between a change and its restart. */
static struct hand *unsettled(void **state)
{
	struct hand *hand = *state;

	hand_stop(hand);
	hand->config.settle_ms = 1;
	hand_start(hand);
	return hand;
}

static void has_one_writer_for_a_disk(void **state)
{
	struct hand *hand = unsettled(state);
	struct app old;
	struct app new;
	struct repo repo = hand_running(hand, "stored", &old);
	const struct engine_spec *run;
	const char *first;
	struct space space;
	uint16_t port;

	assert_true(hand_submission(hand, 1)->data_bytes == 0);
	set_storage(hand, &repo, "small");
	run = hand_submission(hand, 2);
	assert_true(run->data_bytes == UINT64_C(20) << 30);
	expect_env(run, "HF_HOME=/data/.huggingface");
	space = hand_wait(hand, &repo, STAGE_RUNNING);
	assert_true(space.data_bytes == UINT64_C(20) << 30);
	app_init(&new);
	hand_push_app(hand, &repo, &new, "print(2)\n");
	first = run->key;
	run = hand_submission(hand, 3);
	/* Other Spaces' old versions serve on until the new one answers: this one's has ended. */
	assert_int_equal(hand_stops(hand, first), 1);
	hand_wait(hand, &repo, STAGE_APP_STARTING);
	app_open(&new);
	assert_int_equal(hand_ask(hand, "me-stored", &port), SPACE_WHO_ADDRESS); /* was held */
	assert_int_equal(port, new.port);
	hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(hand_stops(hand, run->key), 0);
	app_done(&old);
	app_done(&new);
}

static void keeps_the_old_version_with_a_disk_while_the_new_one_is_built(void **state)
{
	struct hand *hand = unsettled(state);
	struct app app;
	struct repo repo = hand_running(hand, "stored", &app);
	owned(free) char *card =
		mem_format("sdk: gradio\napp_file: app.py\napp_port: %u\n", (unsigned)app.port);
	const struct engine_spec *build;
	const char *first;

	set_storage(hand, &repo, "small");
	first = hand_submission(hand, 2)->key;
	hand_wait(hand, &repo, STAGE_RUNNING);
	hand_push(hand, &repo, card, "print(2)\n", "another==1.0\n");
	build = hand_submission(hand, 3);
	assert_int_equal(build->kind, ENGINE_BUILD);
	hand_wait(hand, &repo, STAGE_RUNNING_BUILDING);
	hand_wait_who(hand, "me-stored", SPACE_WHO_ADDRESS);
	assert_int_equal(hand_stops(hand, first), 0);
	hand_end_build(hand, build, 1, "no such package");
	hand_wait(hand, &repo, STAGE_BUILD_ERROR);
	hand_wait_who(hand, "me-stored", SPACE_WHO_ADDRESS);
	assert_int_equal(hand_stops(hand, first), 0);
	app_done(&app);
}

static void drops_a_disk_before_anything_starts(void **state)
{
	struct hand *hand = unsettled(state);
	struct app app;
	struct repo repo = hand_running(hand, "stored", &app);
	struct space space;

	set_storage(hand, &repo, "small");
	hand_submission(hand, 2);
	hand_wait(hand, &repo, STAGE_RUNNING);
	hand_fail_drop(hand);
	set_storage(hand, &repo, "");
	assert_true(hand_submission(hand, 3)->data_bytes == 0);
	assert_int_equal(hand_drops(hand, &repo), 2); /* the first attempt failed */
	space = hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(space.data_dropped, space.data_drops);
	assert_true(space.data_bytes == 0);
	/* Given up and asked for again at once: another disk. */
	set_storage(hand, &repo, "large");
	hand_submission(hand, 4);
	hand_wait(hand, &repo, STAGE_RUNNING);
	hand_stop(hand);
	set_storage(hand, &repo, "");
	set_storage(hand, &repo, "small");
	hand_start(hand);
	assert_true(hand_submission(hand, 0)->data_bytes == UINT64_C(20) << 30);
	assert_int_equal(hand_drops(hand, &repo), 1);
	app_done(&app);
}

static void drops_the_disk_of_a_deleted_space(void **state)
{
	struct hand *hand = unsettled(state);
	struct app app;
	struct repo repo = hand_running(hand, "stored", &app);

	set_storage(hand, &repo, "small");
	hand_submission(hand, 2);
	hand_wait(hand, &repo, STAGE_RUNNING);
	hand_delete(hand, &repo);
	hand_wait_gone(hand, &repo);
	assert_int_equal(hand_drops(hand, &repo), 1);
	app_done(&app);
}

/* Set a variable as the API does, without telling the loop. */
static void set_variable(struct hand *hand, const struct repo *repo, const char *key)
{
	struct store_tx *tx = world_begin(hand->world);
	const struct keys keys = {.db = store_tx_db(tx), .repo_id = repo->id};
	struct err err = ERR_INIT;

	world_ok(keys_set(&keys, KEYS_VARIABLE, &(struct keys_entry){key, "1", NULL}, &err), &err);
	world_ok(wish_keys(store_tx_db(tx), repo->id, &err), &err);
	world_commit(tx);
}

static void makes_one_restart_of_several_changes(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "settle", &app);
	const struct engine_spec *run;

	for (int i = 0; i < 3; i++) {
		owned(free) char *key = mem_format("KEY_%d", i);

		set_variable(hand, &repo, key);
		assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_APP_STARTING);
		space_loop_wake(hand->loop, repo.id);
	}
	hand_wait_stop(hand, hand_submission(hand, 1)->key);
	run = hand_submission(hand, 2);
	for (int i = 0; i < 3; i++) {
		owned(free) char *var = mem_format("KEY_%d=1", i);

		expect_env(run, var);
	}
	hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(hand_submissions(hand), 3);
	app_done(&app);
}

static void settles_also_after_the_hub_was_killed(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "killed", &app);

	hand_stop(hand);
	set_variable(hand, &repo, "FIRST"); /* the last that the killed hub has done */
	hand_start(hand);                   /* with an engine whose run is lost */
	set_variable(hand, &repo, "SECOND");
	space_loop_wake(hand->loop, repo.id);
	expect_env(hand_submission(hand, 0), "SECOND=1");
	hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(hand_submissions(hand), 1);
	app_done(&app);
}

static void waits_no_longer_where_the_clock_was_set_back(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "clock", &app);
	struct store_tx *tx;
	struct store_query *query;
	struct err err = ERR_INIT;

	set_variable(hand, &repo, "A");
	tx = world_begin(hand->world);
	query = store_query(store_tx_db(tx),
			    "UPDATE spaces SET settles_ms = settles_ms + 86400000");
	world_ok(store_step(query, &err), &err);
	store_query_end(query);
	world_commit(tx);
	space_loop_wake(hand->loop, repo.id);
	hand_wait_stop(hand, hand_submission(hand, 1)->key);
	hand_submission(hand, 2); /* not a day later */
	hand_wait(hand, &repo, STAGE_RUNNING);
	app_done(&app);
}

static void stops_a_paused_app_and_starts_it_by_a_restart(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo = hand_running(hand, "pause", &app);
	struct store_tx *tx = world_begin(hand->world);
	struct err err = ERR_INIT;

	world_ok(wish_pause(store_tx_db(tx), repo.id, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo.id);
	hand_wait_stop(hand, hand_submission(hand, 1)->key);
	assert_int_equal(hand_ask(hand, "me-pause", NULL), SPACE_WHO_PAUSED);
	hand_push_app(hand, &repo, &app, "print(2)\n");
	assert_int_equal(hand_ask(hand, "me-pause", NULL), SPACE_WHO_PAUSED);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_PAUSED);
	hand_restart(hand, &repo, false);
	hand_wait(hand, &repo, STAGE_RUNNING);
	assert_int_equal(hand_submissions(hand), 3);
	app_done(&app);
}

static void runs_within_the_limits_of_its_hardware(void **state)
{
	struct hand *hand = *state;
	struct app app;
	const struct engine_spec *run;
	struct store_tx *tx;
	struct repo repo;
	struct space space;
	struct err err = ERR_INIT;

	hand_stop(hand);
	hand->config.settle_ms = 2000;
	hand_start(hand);
	repo = hand_running(hand, "upgrade", &app);
	tx = world_begin(hand->world);
	assert_int_equal(hand_submission(hand, 1)->limits.cpu_milli, 2000);
	world_ok(wish_hardware(store_tx_db(tx), repo.id, "cpu-upgrade", 0, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo.id);
	/* The old version serves on until the new one may begin, and ends before. */
	assert_int_equal(hand_ask(hand, "me-upgrade", NULL), SPACE_WHO_ADDRESS);
	assert_int_equal(world_get(hand->world, repo.id).stage, STAGE_RUNNING_BUILDING);
	run = hand_submission(hand, 2);
	assert_int_equal(hand_stops(hand, hand_submission(hand, 1)->key), 1);
	assert_int_equal(run->limits.cpu_milli, 8000);
	assert_int_equal(run->limits.memory_bytes, UINT64_C(32) << 30);
	expect_env(run, "CPU_CORES=8");
	expect_env(run, "MEMORY=32Gi");
	space = hand_wait(hand, &repo, STAGE_RUNNING);
	assert_string_equal(space.current_flavor, "cpu-upgrade");
	app_done(&app);
}

static void keeps_its_hardware_between_two_runs(void **state)
{
	struct hand *hand = *state;
	struct app app;
	struct repo repo;
	struct space space;

	hand_stop(hand);
	hand->config.backoff_ms = 3600 * 1000;
	hand_start(hand);
	repo = hand_running(hand, "between", &app);
	hand_end_app(hand, hand_submission(hand, 1), 1, false, NULL);
	space = hand_wait(hand, &repo, STAGE_APP_STARTING);
	assert_string_equal(space.current_flavor, "cpu-basic");
	assert_string_equal(space.running_commit, "");
	app_done(&app);
}

static void closes_who_wants_it_and_who_is_listed(void **state)
{
	static const char *const listed[] = {"somebody", "ME/kept-in", "me/kept", NULL};
	static const char *const names[] = {"open", "by-card", "kept-in"};
	struct hand *hand = *state;

	hand_stop(hand);
	hand->config.closed = listed;
	hand_start(hand);
	for (size_t i = 0; i < 3; i++) {
		struct repo repo = world_space(hand->world, names[i]);

		hand_push(hand, &repo, i == 1 ? "espace_egress: none\n" : "sdk: gradio\n", "x\n",
			  "");
		if (i == 0)
			hand_end_build(hand, hand_submission(hand, 0), 0, NULL);
		assert_int_equal(hand_submission(hand, i + 1)->kind, ENGINE_APP);
		assert_int_equal(hand_submission(hand, i + 1)->closed, i > 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(leads_a_push_to_a_running_app),
		TEST(serves_the_old_version_until_the_new_one_answers),
		TEST(keeps_the_old_version_where_the_new_one_fails),
		TEST(starts_a_crashed_app_again_until_it_crashes_too_often),
		TEST(begins_anew_what_was_lost_before_it_was_done),
		TEST(tries_again_what_the_machine_could_not_do),
		TEST(says_what_to_do_when_a_build_filled_the_disk),
		TEST(takes_exit_status_0_without_a_port_for_no_error),
		TEST(names_the_memory_limit),
		TEST(gives_up_an_app_that_never_answers),
		TEST(shares_one_build_and_its_failure),
		TEST(tries_sources_for_the_owner_alone),
		TEST(says_what_is_wrong_with_the_repository),
		TEST(waits_for_the_base_system),
		TEST(stops_before_it_starts_again),
		TEST(builds_anew_for_a_factory_restart),
		TEST(deletes_a_space_that_builds),
		TEST(deletes_a_space_that_runs),
		TEST(has_one_writer_for_a_disk),
		TEST(keeps_the_old_version_with_a_disk_while_the_new_one_is_built),
		TEST(drops_a_disk_before_anything_starts),
		TEST(drops_the_disk_of_a_deleted_space),
		TEST(makes_one_restart_of_several_changes),
		TEST(settles_also_after_the_hub_was_killed),
		TEST(waits_no_longer_where_the_clock_was_set_back),
		TEST(stops_a_paused_app_and_starts_it_by_a_restart),
		TEST(runs_within_the_limits_of_its_hardware),
		TEST(keeps_its_hardware_between_two_runs),
		TEST(closes_who_wants_it_and_who_is_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
