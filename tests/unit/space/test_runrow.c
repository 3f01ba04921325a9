#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "space/runrow.h"
#include "world.h"

static struct repo repo;

static int setup(void **state)
{
	*state = world_new();
	repo = world_space(*state, "runs");
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static struct runrow add(struct store_db *db, const char *key, enum engine_kind kind)
{
	struct runrow row = {.kind = kind, .repo_id = repo.id, .generation = 2, .log = 1};
	struct err err = ERR_INIT;

	snprintf(row.key, sizeof(row.key), "%s", key);
	memcpy(row.flavor, "cpu-basic", 10);
	world_ok(runrow_add(db, &row, &err), &err);
	return row;
}

static void count(void *arg, const struct runrow *row)
{
	++*(int *)arg;
}

static int count_open(struct store_db *db)
{
	int open = 0;
	struct err err = ERR_INIT;

	world_ok(runrow_each_open(db, repo.id, count, &open, &err), &err);
	return open;
}

static void keeps_a_run_open_until_it_ends(void **state)
{
	struct store_tx *tx = world_begin(*state);
	struct store_db *db = store_tx_db(tx);
	struct runrow row = add(db, "a-1", ENGINE_APP);
	struct runrow found;
	struct err err = ERR_INIT;

	world_ok(runrow_started(db, &row, 1000, &err), &err);
	world_ok(runrow_started(db, &row, 2000, &err), &err); /* only the first counts */
	world_ok(runrow_ready(db, &row, 3000, &err), &err);
	assert_int_equal(runrow_open(db, "a-1", &found, &err), 1);
	assert_int_equal(found.started_ms, 1000);
	assert_int_equal(found.ready_ms, 3000);
	assert_int_equal(found.id, row.id);
	assert_int_equal(count_open(db), 1);
	world_ok(runrow_ended(db, &row, 4000, 1, "exit status 1", &err), &err);
	assert_int_equal(runrow_open(db, "a-1", &found, &err), 0);
	assert_int_equal(count_open(db), 0);
	store_tx_end(tx);
}

static void refuses_two_open_runs_of_one_key(void **state)
{
	struct store_tx *tx = world_begin(*state);
	struct store_db *db = store_tx_db(tx);
	struct runrow row = add(db, "env-1", ENGINE_BUILD);
	struct runrow again = row;
	struct err err = ERR_INIT;

	assert_int_equal(runrow_add(db, &again, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_int_equal(count_open(db), 0); /* a build is no run of the app */
	world_ok(runrow_ended(db, &row, 0, 1, "", &err), &err);
	world_ok(runrow_add(db, &again, &err), &err);
	store_tx_end(tx);
}

static int64_t ledger(struct store_db *db, const char *what)
{
	char sql[128];
	struct store_query *query;
	struct err err = ERR_INIT;
	int64_t value;

	snprintf(sql, sizeof(sql), "SELECT %s FROM ledger", what);
	query = store_query(db, sql);
	assert_int_equal(store_step(query, &err), 1);
	value = store_int(query, 0);
	store_query_end(query);
	return value;
}

static void meters_apps_from_start_to_end_and_builds_not_at_all(void **state)
{
	struct store_tx *tx = world_begin(*state);
	struct store_db *db = store_tx_db(tx);
	struct runrow app = add(db, "a-1", ENGINE_APP);
	struct runrow never = add(db, "a-2", ENGINE_APP);
	struct runrow build = add(db, "env-1", ENGINE_BUILD);
	struct err err = ERR_INIT;

	world_ok(runrow_started(db, &build, 500, &err), &err);
	world_ok(runrow_ended(db, &build, 600, 0, "", &err), &err);
	world_ok(runrow_ended(db, &never, 600, -1, "x", &err), &err);
	assert_int_equal(ledger(db, "count(*)"), 0);
	world_ok(runrow_started(db, &app, 1000, &err), &err);
	assert_int_equal(ledger(db, "count(*) FILTER (WHERE to_ms IS NULL)"), 1);
	world_ok(runrow_ended(db, &app, 4000, 0, "", &err), &err);
	assert_int_equal(ledger(db, "sum(to_ms - from_ms)"), 3000);
	store_tx_end(tx);
}

/* What an engine said before the clock was set back lies in the future. */
static void a_run_and_its_span_begin_and_end_at_one_moment(void **state)
{
	struct store_tx *tx = world_begin(*state);
	struct store_db *db = store_tx_db(tx);
	struct runrow row = add(db, "a-1", ENGINE_APP);
	struct err err = ERR_INIT;

	world_ok(runrow_started(db, &row, INT64_MAX, &err), &err);
	world_ok(runrow_ended(db, &row, INT64_MAX, 0, "", &err), &err);
	assert_int_equal(ledger(db, "from_ms - (SELECT started_ms FROM runs)"), 0);
	assert_int_equal(ledger(db, "to_ms - (SELECT ended_ms FROM runs)"), 0);
	store_tx_end(tx);
}

static void counts_crashes_but_not_what_the_machine_lost(void **state)
{
	static const char *const reasons[] = {"exit status 1", RUNROW_LOST, "exit status 2"};
	struct store_tx *tx = world_begin(*state);
	struct store_db *db = store_tx_db(tx);
	struct runrow_history history;
	struct err err = ERR_INIT;

	for (int i = 0; i < 3; i++) {
		char key[16];
		struct runrow row;

		snprintf(key, sizeof(key), "a-%d", i);
		row = add(db, key, ENGINE_APP);
		world_ok(runrow_ended(db, &row, 1000 * (i + 1), 1, reasons[i], &err), &err);
	}
	world_ok(runrow_history(db, repo.id, 2, 500, &history, &err), &err);
	assert_int_equal(history.runs, 3);
	assert_int_equal(history.crashes, 2);
	assert_int_equal(history.last_crash_ms, 3000);
	world_ok(runrow_history(db, repo.id, 2, 2500, &history, &err), &err);
	assert_int_equal(history.crashes, 1);
	world_ok(runrow_history(db, repo.id, 3, 0, &history, &err), &err);
	assert_int_equal(history.runs, 0);
	store_tx_end(tx);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(keeps_a_run_open_until_it_ends),
		TEST(refuses_two_open_runs_of_one_key),
		TEST(meters_apps_from_start_to_end_and_builds_not_at_all),
		TEST(a_run_and_its_span_begin_and_end_at_one_moment),
		TEST(counts_crashes_but_not_what_the_machine_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
