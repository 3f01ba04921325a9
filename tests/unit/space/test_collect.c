#include "space/collect.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "repo/mark.h"
#include "world.h"

#define ENV    "env-1111"
#define COMMIT "1111111111111111111111111111111111111111"

/* A Space whose plan names an environment and a commit. */
struct place {
	struct world *world;
	struct datadir dir;
	struct collect collect;
	struct repo repo;
};

static void change(struct place *place, const char *sql)
{
	struct store_tx *tx = world_begin(place->world);
	owned(store_query_end) struct store_query *query = store_query(store_tx_db(tx), sql);
	struct err err = ERR_INIT;

	world_ok(store_step(query, &err), &err);
	world_commit(tx);
}

static int setup(void **state)
{
	struct place *place = mem_new(struct place);
	struct err err = ERR_INIT;

	place->world = world_new();
	place->dir.path = place->world->path;
	place->dir.fd = open(place->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place->repo = world_space(place->world, "demo");
	place->collect = (struct collect){.store = place->world->store, .dir = &place->dir};
	world_ok(file_make_dirs(place->dir.fd, "layers", 0711, &err), &err);
	world_ok(file_make_dirs(place->dir.fd, "repos", 0700, &err), &err);
	change(place, "UPDATE spaces SET env_layer = '" ENV "', \"commit\" = '" COMMIT "'");
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	close(place->dir.fd);
	world_free(place->world);
	free(place);
	return 0;
}

static char *app_layer(const struct place *place, const char *commit)
{
	return mem_format("layers/app-%s-%s", place->repo.hex, commit);
}

static void make(const struct place *place, const char *path)
{
	struct err err = ERR_INIT;

	world_ok(file_make_dirs(place->dir.fd, path, 0755, &err), &err);
}

static size_t collect(struct place *place)
{
	struct err err = ERR_INIT;
	size_t count = 0;

	world_ok(collect_layers(&place->collect, &count, &err), &err);
	return count;
}

static bool is_there(const struct place *place, const char *path)
{
	return file_exists(place->dir.fd, path);
}

static void what_a_space_wishes_and_plans_stays(void **state)
{
	struct place *place = *state;
	owned(free) char *app = app_layer(place, COMMIT);

	make(place, "layers/" ENV);
	make(place, app);
	assert_int_equal(collect(place), 0);
	assert_true(is_there(place, "layers/" ENV));
	assert_true(is_there(place, app));
}

static void what_nobody_names_goes(void **state)
{
	struct place *place = *state;
	owned(free) char *app = app_layer(place, "2222222222222222222222222222222222222222");
	struct err err = ERR_INIT;
	int64_t bytes = 0;

	make(place, "layers/env-2222");
	make(place, app);
	assert_int_equal(collect(place), 2);
	assert_false(is_there(place, "layers/env-2222"));
	assert_false(is_there(place, app));
	world_ok(collect_sweep(&place->dir, &bytes, &err), &err);
	assert_true(bytes > 0);
}

/* The hub's own collection beside the administration word: each layer is taken once, and nobody
 * minds. */
static void *collect_and_sweep(void *arg)
{
	struct place *place = arg;
	size_t *count = mem_new(size_t);
	struct err err = ERR_INIT;
	int64_t bytes = 0;

	world_ok(collect_layers(&place->collect, count, &err), &err);
	world_ok(collect_sweep(&place->dir, &bytes, &err), &err);
	return count;
}

static void two_at_once(void **state)
{
	struct place *place = *state;

	for (int round = 0; round < 20; round++) {
		pthread_t threads[2];
		size_t total = 0;

		for (int i = 0; i < 16; i++) {
			owned(free) char *path = mem_format("layers/env-%d/a/b/c", i);

			make(place, path);
		}
		for (int i = 0; i < 2; i++)
			assert_int_equal(
				pthread_create(&threads[i], NULL, collect_and_sweep, place), 0);
		for (int i = 0; i < 2; i++) {
			void *count;

			assert_int_equal(pthread_join(threads[i], &count), 0);
			total += *(size_t *)count;
			free(count);
		}
		assert_int_equal(total, 16);
	}
}

static void what_is_young_stays(void **state)
{
	struct place *place = *state;

	place->collect.keep_s = 3600;
	make(place, "layers/env-2222");
	assert_int_equal(collect(place), 0);
}

static void a_run_keeps_its_layers_until_long_after_its_end(void **state)
{
	struct place *place = *state;

	make(place, "layers/env-2222");
	change(place,
	       "INSERT INTO runs (key, kind, repo_id, generation, env_layer, log, created_ms)"
	       " SELECT 'k', 'app', repo_id, 1, 'env-2222', 1, 1 FROM spaces");
	assert_int_equal(collect(place), 0);
	change(place, "UPDATE runs SET ended_ms = 1000");
	assert_int_equal(collect(place), 1);
}

static void other_names_are_none_of_ours(void **state)
{
	struct place *place = *state;

	make(place, "layers/something");
	make(place, "layers/gone-env-1");
	assert_int_equal(collect(place), 0);
}

static void an_old_base_goes_when_nothing_stands_on_it(void **state)
{
	struct place *place = *state;

	make(place, "layers/base-0"); /* the world's own is base-1 */
	change(place, "INSERT INTO runs (key, kind, repo_id, generation, log, created_ms)"
		      " SELECT 'k', 'app', repo_id, 1, 1, 1 FROM spaces");
	assert_int_equal(collect(place), 0);
	change(place, "UPDATE runs SET ended_ms = 1000");
	assert_int_equal(collect(place), 1);
	assert_true(is_there(place, "layers/base-1"));
	assert_false(is_there(place, "layers/base-0"));
}

static void more_than_one_transaction_of_them(void **state)
{
	struct place *place = *state;

	for (int i = 0; i < 150; i++) {
		owned(free) char *name = mem_format("layers/env-a%03d", i);

		make(place, name);
	}
	assert_int_equal(collect(place), 150);
}

static void put(const struct place *place, const char *path)
{
	struct err err = ERR_INIT;

	world_ok(file_write(place->dir.fd, path, "x", 1, 0600, &err), &err);
}

static void old_logs_go_and_those_that_are_shown_stay(void **state)
{
	static const char *const gone[] = {"run-1.log", "build-1.log", "build-1.log.end"};
	static const char *const stay[] = {"run-2.log", "run-3.log", "build-4.log", "notes.txt"};
	struct place *place = *state;
	owned(free) char *folder = mem_format("spaces/%s/logs", place->repo.hex);
	struct err err = ERR_INIT;
	size_t count = 0;

	make(place, folder);
	change(place, "UPDATE spaces SET run_log = 3, build_log = 4");
	change(place, "INSERT INTO runs (key, kind, repo_id, generation, log, created_ms)"
		      " SELECT 'k', 'app', repo_id, 1, 2, 1 FROM spaces");
	for (size_t i = 0; i < 3; i++) {
		owned(free) char *path = mem_format("%s/%s", folder, gone[i]);

		put(place, path);
	}
	for (size_t i = 0; i < 4; i++) {
		owned(free) char *path = mem_format("%s/%s", folder, stay[i]);

		put(place, path);
	}
	place->collect.keep_s = -1; /* everything is older than that */
	world_ok(collect_logs(&place->collect, &count, &err), &err);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < 4; i++) {
		owned(free) char *path = mem_format("%s/%s", folder, stay[i]);

		assert_true(is_there(place, path));
	}
}

static void leftovers_are_left_while_a_call_may_work(void **state)
{
	struct place *place = *state;
	struct err err = ERR_INIT;
	size_t count = 7;

	make(place, "repos/new-1.git");
	make(place, "repos/gone-1.git");
	world_ok(collect_leftovers(&place->collect, &count, &err), &err);
	assert_int_equal(count, 0);
	assert_true(is_there(place, "repos/new-1.git"));
}

/* A repository as a call that was cut so long ago has left it; for free(). */
static char *marked(const struct place *place, const char *hex, time_t age_s)
{
	const struct timespec times[2] = {{.tv_sec = time(NULL) - age_s},
					  {.tv_sec = time(NULL) - age_s}};
	owned(free) char *folder = mem_format("repos/%s.git", hex);
	owned(free) char *path = datadir_path(&place->dir, "%s", folder);
	owned(free) char *mark = mem_format("%s/espace-unsettled", path);
	struct err err = ERR_INIT;

	make(place, folder);
	world_ok(mark_set(path, &err), &err);
	assert_int_equal(utimensat(AT_FDCWD, mark, times, 0), 0);
	return take(folder);
}

static void a_marked_repository_without_a_row_goes(void **state)
{
	static const time_t day_s = 24 * 60 * 60;
	struct place *place = *state;
	owned(free) char *cut = marked(place, "111111111111111111111111", 2 * day_s);
	owned(free) char *young = marked(place, "222222222222222222222222", day_s / 2);
	owned(free) char *named = marked(place, place->repo.hex, 2 * day_s);
	owned(free) char *path = datadir_path(&place->dir, "%s", named);
	struct err err = ERR_INIT;
	size_t count = 0;

	change(place, "INSERT INTO accounts (id, hex, type, name, created_ms)"
		      " VALUES (77, 'a', 'user', 'somebody', 1)");
	change(place, "INSERT INTO repos (hex, type, owner_id, name, is_private, creator_id,"
		      " created_ms, modified_ms) SELECT hex, 'space', 77, 'demo', 0, 77, 1, 1"
		      " FROM spaces");
	make(place, "repos/333333333333333333333333.git"); /* without a mark: may be somebody's */
	world_ok(collect_leftovers(&place->collect, &count, &err), &err);
	assert_int_equal(count, 1);
	assert_false(is_there(place, cut));
	assert_true(is_there(place, young));
	assert_true(is_there(place, "repos/333333333333333333333333.git"));
	assert_true(is_there(place, named) && !mark_is_older(path, -1));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_a_space_wishes_and_plans_stays),
		CASE(what_nobody_names_goes),
		CASE(two_at_once),
		CASE(what_is_young_stays),
		CASE(a_run_keeps_its_layers_until_long_after_its_end),
		CASE(other_names_are_none_of_ours),
		CASE(an_old_base_goes_when_nothing_stands_on_it),
		CASE(more_than_one_transaction_of_them),
		CASE(old_logs_go_and_those_that_are_shown_stay),
		CASE(leftovers_are_left_while_a_call_may_work),
		CASE(a_marked_repository_without_a_row_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
