#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "space/ledger.h"
#include "space/runrow.h"
#include "tx.h"
#include "world.h"

enum { MINUTE_MS = 60 * 1000 };

static struct ledger_moment at(int64_t wall_ms, int64_t mono_ms, const char *boot)
{
	struct ledger_moment moment = {.wall_ms = wall_ms, .mono_ms = mono_ms};

	snprintf(moment.boot, sizeof(moment.boot), "%s", boot);
	return moment;
}

static struct runrow add_run(const char *key, enum engine_kind kind, const char *flavor,
			     int64_t price)
{
	struct runrow row = {
		.kind = kind, .repo_id = repo.id, .generation = 2, .log = 1, .price = price};
	struct err err = ERR_INIT;

	snprintf(row.key, sizeof(row.key), "%s", key);
	snprintf(row.flavor, sizeof(row.flavor), "%s", flavor);
	world_ok(runrow_add(db, &row, &err), &err);
	return row;
}

static void begin(const char *key, struct ledger_moment moment)
{
	struct err err = ERR_INIT;

	world_ok(ledger_begin(db, key, &moment, &err), &err);
}

static void end(const char *key, struct ledger_moment moment)
{
	struct err err = ERR_INIT;

	world_ok(ledger_end(db, key, &moment, &err), &err);
}

struct sum {
	size_t count;
	int64_t used_ms;
	int64_t cost;
	struct ledger_use last;
};

static void add(void *arg, const struct ledger_use *use)
{
	struct sum *sum = arg;

	sum->count++;
	sum->used_ms += use->used_ms;
	sum->cost += use->cost;
	sum->last = *use;
}

static struct sum sum_of(struct ledger_filter filter, struct ledger_moment now)
{
	struct sum sum = {0};
	struct err err = ERR_INIT;

	filter.repo_id = repo.id;
	world_ok(ledger_each(db, &filter, &now, add, &sum, &err), &err);
	return sum;
}

#define ALL ((struct ledger_filter){0})

static void counts_from_begin_to_end_by_the_price_of_the_run(void **state)
{
	struct sum sum;

	add_run("a-1", ENGINE_APP, "cpu-upgrade", 500);
	begin("a-1", at(1000, 10, "x"));
	end("a-1", at(1000 + 2 * MINUTE_MS, 10 + 2 * MINUTE_MS, "x"));
	sum = sum_of(ALL, at(999999, 999999, "x"));
	assert_int_equal(sum.count, 1);
	assert_int_equal(sum.used_ms, 2 * MINUTE_MS);
	assert_int_equal(sum.cost, 1000);
	assert_string_equal(sum.last.flavor, "cpu-upgrade");
	assert_string_equal(sum.last.space, "me/used");
}

static void what_is_open_counts_until_now(void **state)
{
	add_run("a-1", ENGINE_APP, "cpu-basic", 0);
	begin("a-1", at(1000, 10, "x"));
	assert_int_equal(sum_of(ALL, at(6000, 5010, "x")).used_ms, 5000);
}

static void begins_and_ends_once(void **state)
{
	add_run("a-1", ENGINE_APP, "cpu-basic", 0);
	begin("a-1", at(1000, 10, "x"));
	begin("a-1", at(2000, 1010, "x"));
	end("a-1", at(3000, 2010, "x"));
	end("a-1", at(9000, 8010, "x"));
	assert_int_equal(sum_of(ALL, at(9999, 9999, "x")).used_ms, 2000);
}

static void sleep_between_two_spans_costs_nothing(void **state)
{
	add_run("a-1", ENGINE_APP, "cpu-basic", 60);
	begin("a-1", at(1000, 1000, "x"));
	end("a-1", at(2000, 2000, "x"));
	begin("a-1", at(50000, 50000, "x"));
	end("a-1", at(53000, 53000, "x"));
	assert_int_equal(sum_of(ALL, at(99999, 99999, "x")).used_ms, 4000);
	assert_int_equal(sum_of(ALL, at(99999, 99999, "x")).cost, 4);
}

static void a_wall_clock_that_is_set_changes_no_length(void **state)
{
	add_run("a-1", ENGINE_APP, "cpu-basic", 0);
	begin("a-1", at(1000000, 10, "x"));
	end("a-1", at(1000, 7010, "x")); /* set back */
	add_run("a-2", ENGINE_APP, "cpu-basic", 0);
	begin("a-2", at(1000, 8000, "x"));
	end("a-2", at(90000000, 9000, "x")); /* and forth */
	assert_int_equal(sum_of(ALL, at(0, 9999, "x")).used_ms, 8000);
}

static void over_a_reboot_the_wall_clock_is_left(void **state)
{
	add_run("a-1", ENGINE_APP, "cpu-basic", 0);
	begin("a-1", at(100000, 5000000, "x"));
	end("a-1", at(160000, 10, "y"));
	add_run("a-2", ENGINE_APP, "cpu-basic", 0);
	begin("a-2", at(200000, 5000000, "x"));
	end("a-2", at(150000, 10, "y")); /* set back as well: nothing rather than less */
	assert_int_equal(sum_of(ALL, at(0, 0, "y")).used_ms, 60000);
}

static void a_boot_that_nobody_knows_is_another_one(void **state)
{
	add_run("a-1", ENGINE_APP, "cpu-basic", 0);
	begin("a-1", at(1000, 5000, ""));
	end("a-1", at(3000, 5001, ""));
	assert_int_equal(sum_of(ALL, at(0, 0, "")).used_ms, 2000);
}

static void a_lost_run_is_counted_until_it_was_last_seen(void **state)
{
	struct ledger_moment seen = at(70000, 61000, "x");
	struct runrow run = add_run("a-1", ENGINE_APP, "cpu-basic", 0);
	struct runrow young = add_run("a-2", ENGINE_APP, "cpu-basic", 0);
	struct err err = ERR_INIT;

	world_ok(runrow_started(db, &run, 0, &err), &err);
	run.started_ms = 1;
	world_ok(runrow_ended(db, &run, 0, ENGINE_LOST, RUNROW_LOST, &err), &err);
	begin("a-2", at(10000, 1000, "x"));
	world_ok(ledger_see(db, &seen, &err), &err);
	world_ok(ledger_last_seen(db, "a-2", &seen, &err), &err);
	assert_int_equal(seen.wall_ms, 70000);
	young.started_ms = 10000;
	world_ok(runrow_ended(db, &young, 0, ENGINE_LOST, RUNROW_LOST, &err), &err);
	assert_int_equal(sum_of(ALL, at(0, 0, "y")).used_ms, 60000);
}

static void what_was_seen_before_a_span_began_does_not_end_it(void **state)
{
	struct ledger_moment seen = at(90000, 900, "x");
	struct err err = ERR_INIT;

	add_run("a-0", ENGINE_APP, "cpu-basic", 0);
	begin("a-0", at(0, 0, "x"));
	world_ok(ledger_see(db, &seen, &err), &err);
	add_run("a-1", ENGINE_APP, "cpu-basic", 0);
	begin("a-1", at(10000, 1000, "x")); /* the clock was set back in between */
	world_ok(ledger_last_seen(db, "a-1", &seen, &err), &err);
	assert_int_equal(seen.wall_ms, 10000);
	assert_int_equal(seen.mono_ms, 1000);
}

static void nothing_is_seen_where_nothing_is_open(void **state)
{
	struct ledger_moment seen = at(90000, 900, "x");
	struct store_query *query;
	struct err err = ERR_INIT;

	world_ok(ledger_see(db, &seen, &err), &err);
	query = store_query(db, "SELECT count(*) FROM ledger_seen");
	assert_int_equal(store_step(query, &err), 1);
	assert_int_equal(store_int(query, 0), 0);
	store_query_end(query);
}

static void parts_in_time_add_up_to_the_whole(void **state)
{
	const struct ledger_moment now = at(0, 99999, "x");
	int64_t parts = 0;

	add_run("a-1", ENGINE_APP, "cpu-basic", 0);
	begin("a-1", at(1000, 1000, "x"));
	end("a-1", at(1, 4333, "x"));
	add_run("a-2", ENGINE_APP, "cpu-basic", 0);
	begin("a-2", at(4000, 5000, "x"));
	for (int64_t from = 0; from < 120000; from += 777)
		parts += sum_of((struct ledger_filter){.from_ms = from, .to_ms = from + 777}, now)
				 .used_ms;
	assert_int_equal(parts, sum_of(ALL, now).used_ms);
	assert_int_equal(
		sum_of((struct ledger_filter){.from_ms = 2000, .to_ms = 2500}, now).used_ms, 500);
	assert_int_equal(sum_of((struct ledger_filter){.to_ms = 1000}, now).count, 0);
}

static void each_price_is_a_row_and_costs_are_rounded_once(void **state)
{
	struct sum sum;

	for (int i = 0; i < 3; i++) {
		char key[16];

		snprintf(key, sizeof(key), "a-%d", i);
		add_run(key, ENGINE_APP, "cpu-basic", i == 2 ? 7 : 1);
		begin(key, at(0, 0, "x"));
		end(key, at(0, 20 * 1000, "x")); /* a third of a minute */
	}
	sum = sum_of(ALL, at(0, 0, "x"));
	assert_int_equal(sum.count, 2);
	assert_int_equal(sum.last.price, 7);
	assert_int_equal(sum.last.cost, 2); /* 7/3 */
	assert_int_equal(sum.cost, 3);      /* and 2/3 */
}

static void the_largest_price_for_a_century_does_not_overflow(void **state)
{
	const int64_t century_ms = INT64_C(100) * 366 * 24 * 3600 * 1000;

	add_run("a-1", ENGINE_APP, "cpu-basic", INT64_C(1000000) * 1000000 / 60);
	begin("a-1", at(0, 0, "x"));
	end("a-1", at(0, century_ms, "x"));
	assert_true(sum_of(ALL, at(0, 0, "x")).cost > INT64_C(800000000000000000));
}

static void builds_are_not_counted(void **state)
{
	add_run("env-1", ENGINE_BUILD, "", 5);
	begin("env-1", at(0, 0, "x"));
	assert_int_equal(sum_of(ALL, at(0, 9999, "x")).count, 0);
}

/* The repository's own row, of the account 1. */
static void give_owner(void)
{
	struct err err = ERR_INIT;
	struct store_query *query = store_query(
		db, "INSERT INTO repos (id, hex, type, owner_id, name, is_private, creator_id,"
		    " created_ms, modified_ms) VALUES (?, ?, 'space', 1, 'used', 0, 1, 0, 0)");

	store_bind_int(query, repo.id);
	store_bind_text(query, repo.hex);
	world_ok(store_step(query, &err), &err);
	store_query_end(query);
}

#define USED_BY(owner, name) (&(struct ledger_filter){.owner_id = (owner), .flavor = (name)})

static void an_accounts_hours_are_those_of_its_spaces(void **state)
{
	struct err err = ERR_INIT;
	int64_t used;

	give_owner();
	add_run("a-1", ENGINE_APP, "t4-small", 0);
	begin("a-1", at(0, 1000, "x"));
	end("a-1", at(0, 8000, "x"));
	world_ok(ledger_used_ms(db, USED_BY(1, "t4-small"), &used, &err), &err);
	assert_int_equal(used, 7000);
	world_ok(ledger_used_ms(db, USED_BY(1, "cpu-basic"), &used, &err), &err);
	assert_int_equal(used, 0);
	world_ok(ledger_used_ms(db, USED_BY(2, "t4-small"), &used, &err), &err);
	assert_int_equal(used, 0);
}

static int64_t count_of(const char *sql)
{
	struct store_query *query = store_query(db, sql);
	struct err err = ERR_INIT;
	int64_t count;

	assert_int_equal(store_step(query, &err), 1);
	count = store_int(query, 0);
	store_query_end(query);
	return count;
}

static void a_space_that_moves_is_counted_by_its_new_name_from_then_on(void **state)
{
	struct store_query *query;
	struct err err = ERR_INIT;

	give_owner();
	add_run("a-1", ENGINE_APP, "cpu-basic", 0);
	begin("a-1", at(1000, 10, "x"));
	query = store_query(db, "UPDATE spaces SET full_name = 'me/moved'");
	world_ok(store_step(query, &err), &err);
	store_query_end(query);
	for (int i = 0; i < 2; i++) /* the second time there is nothing to renew */
		world_ok(ledger_renew(db, repo.id, &err), &err);
	assert_int_equal(count_of("SELECT count(*) FROM ledger"), 2);
	assert_int_equal(count_of("SELECT count(*) FROM ledger WHERE space = 'me/moved'"
				  " AND to_ms IS NULL AND run_key = 'a-1'"),
			 1);
	assert_int_equal(count_of("SELECT count(*) FROM ledger WHERE space = 'me/used'"
				  " AND to_ms IS NOT NULL"),
			 1);
}

static void use_stays_when_the_space_is_gone(void **state)
{
	struct err err = ERR_INIT;

	add_run("a-1", ENGINE_APP, "cpu-basic", 0);
	begin("a-1", at(0, 0, "x"));
	end("a-1", at(0, 5000, "x"));
	world_ok(space_remove(db, repo.id, &err), &err);
	assert_int_equal(sum_of(ALL, at(0, 0, "x")).used_ms, 5000);
}

static void a_moment_is_never_in_the_future(void **state)
{
	struct ledger_moment now = ledger_moment(0);
	struct ledger_moment later = ledger_moment(now.wall_ms + 3600 * 1000);
	struct ledger_moment earlier = ledger_moment(now.wall_ms - 1000);

	assert_true(later.wall_ms < now.wall_ms + 3600 * 1000);
	assert_true(later.mono_ms <= clock_mono_ms());
	assert_true(earlier.mono_ms <= clock_mono_ms() - 1000);
	assert_int_equal(strlen(now.boot), 36);
	assert_string_equal(now.boot, later.boot);
}

static void numbers_are_written_exactly(void **state)
{
	char text[LEDGER_TEXT_ROOM];

	assert_string_equal(ledger_seconds(0, text), "0.000");
	assert_string_equal(ledger_seconds(3250, text), "3.250");
	assert_string_equal(ledger_seconds(INT64_MAX, text), "9223372036854775.807");
	assert_string_equal(ledger_usd(542, text), "0.000542");
	assert_string_equal(ledger_usd(12000001, text), "12.000001");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(counts_from_begin_to_end_by_the_price_of_the_run),
		TEST(what_is_open_counts_until_now),
		TEST(begins_and_ends_once),
		TEST(sleep_between_two_spans_costs_nothing),
		TEST(a_wall_clock_that_is_set_changes_no_length),
		TEST(over_a_reboot_the_wall_clock_is_left),
		TEST(a_boot_that_nobody_knows_is_another_one),
		TEST(a_lost_run_is_counted_until_it_was_last_seen),
		TEST(what_was_seen_before_a_span_began_does_not_end_it),
		TEST(nothing_is_seen_where_nothing_is_open),
		TEST(parts_in_time_add_up_to_the_whole),
		TEST(each_price_is_a_row_and_costs_are_rounded_once),
		TEST(the_largest_price_for_a_century_does_not_overflow),
		TEST(builds_are_not_counted),
		TEST(an_accounts_hours_are_those_of_its_spaces),
		TEST(a_space_that_moves_is_counted_by_its_new_name_from_then_on),
		TEST(use_stays_when_the_space_is_gone),
		TEST(a_moment_is_never_in_the_future),
		TEST(numbers_are_written_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
