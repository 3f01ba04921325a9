#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "space/grant.h"
#include "space/ledger.h"
#include "space/runrow.h"
#include "space/wish.h"
#include "world.h"

enum { HOUR_MS = 3600 * 1000, MINE = 1 };

static struct repo repo;
static struct store_tx *tx;
static struct store_db *db;

static void sql(const char *text)
{
	owned(store_query_end) struct store_query *query = store_query(db, text);
	struct err err = ERR_INIT;

	world_ok(store_step(query, &err), &err);
}

static int setup(void **state)
{
	owned(free) char *row = NULL;

	*state = world_new();
	repo = world_space(*state, "trains");
	tx = world_begin(*state);
	db = store_tx_db(tx);
	row = mem_format("INSERT INTO repos (id, hex, type, owner_id, name, is_private, creator_id,"
			 " created_ms, modified_ms) VALUES (%lld, '%s', 'space', 1, 'trains', 0, 1,"
			 " 1, 1)",
			 (long long)repo.id, repo.hex);
	sql(row);
	return 0;
}

static int teardown(void **state)
{
	store_tx_end(tx);
	world_free(*state);
	return 0;
}

static int give(const char *flavor, int64_t limit_ms)
{
	struct err err = ERR_INIT;
	int given = grant_give(db, &(struct grant){MINE, flavor, limit_ms}, &err);

	if (given < 0)
		assert_int_equal(err.kind, ERR_EXISTS);
	return given;
}

static bool may_have(const char *flavor)
{
	struct err err = ERR_INIT;

	if (grant_check(db, MINE, flavor, &err) == 0)
		return true;
	assert_int_equal(err.kind, ERR_PAYMENT);
	assert_non_null(strstr(err.text, flavor));
	assert_non_null(strstr(err.text, "ask an administrator"));
	return false;
}

static void wish(const char *flavor)
{
	struct err err = ERR_INIT;

	world_ok(wish_hardware(db, repo.id, flavor, 0, &err), &err);
}

/* A span of the ledger that ends now; an open one where it does not. */
static void use(int64_t from_ms, bool open)
{
	struct runrow row = {.kind = ENGINE_APP, .repo_id = repo.id, .log = 1};
	struct ledger_moment at = ledger_moment(from_ms);
	struct err err = ERR_INIT;
	static int count;

	snprintf(row.key, sizeof(row.key), "run-%d", ++count);
	snprintf(row.flavor, sizeof(row.flavor), "t4-medium");
	world_ok(runrow_add(db, &row, &err), &err);
	world_ok(ledger_begin(db, row.key, &at, &err), &err);
	at = ledger_moment(0);
	if (!open)
		world_ok(ledger_end(db, row.key, &at, &err), &err);
}

static void add(void *arg, const struct grant_spent *spent)
{
	*(struct grant_spent *)arg = *spent;
}

/* Which Space has lost its grant; repo_id 0 for none. */
static struct grant_spent spent(int64_t *next_ms)
{
	struct grant_spent found = {0};
	struct err err = ERR_INIT;

	world_ok(grant_each_spent(db, add, &found, next_ms, &err), &err);
	return found;
}

static void hardware_needs_a_grant_and_cpu_basic_none(void **state)
{
	assert_true(may_have("cpu-basic"));
	assert_false(may_have("t4-medium"));
	assert_int_equal(give("t4-medium", GRANT_ANY), 1);
	assert_true(may_have("t4-medium"));
	assert_false(may_have("t4-small"));
}

static void administrators_need_none(void **state)
{
	sql("UPDATE accounts SET admin = 1 WHERE id = 1");
	assert_true(may_have("t4-medium"));
}

static void the_same_grant_is_given_once_and_another_refused(void **state)
{
	assert_int_equal(give("t4-medium", HOUR_MS), 1);
	assert_int_equal(give("t4-medium", HOUR_MS), 0);
	assert_int_equal(give("t4-medium", 2 * HOUR_MS), -1);
	assert_int_equal(give("t4-medium", GRANT_ANY), -1);
}

static void hours_are_what_the_ledger_counts_from_the_grant_on(void **state)
{
	int64_t now_ms = clock_wall_ms();

	use(now_ms - 5 * HOUR_MS, false);
	assert_int_equal(give("t4-medium", HOUR_MS), 1);
	assert_true(may_have("t4-medium")); /* what was used before is not held against it */
	sql("UPDATE grants SET given_ms = given_ms - 6 * 3600000");
	assert_false(may_have("t4-medium"));
}

static void a_space_whose_hours_are_used_up_is_found(void **state)
{
	int64_t next_ms;

	wish("t4-medium");
	give("t4-medium", HOUR_MS);
	assert_int_equal(spent(&next_ms).repo_id, 0);
	assert_true(next_ms == INT64_MAX); /* nothing runs that would use them up */
	sql("UPDATE grants SET given_ms = given_ms - 6 * 3600000");
	use(clock_wall_ms() - HOUR_MS / 2, true);
	assert_int_equal(spent(&next_ms).repo_id, 0);
	assert_in_range(next_ms, HOUR_MS / 2 - 60 * 1000, HOUR_MS / 2);
	use(clock_wall_ms() - HOUR_MS / 4, true); /* two spend twice as fast */
	assert_int_equal(spent(&next_ms).repo_id, 0);
	assert_in_range(next_ms, HOUR_MS / 8 - 60 * 1000, HOUR_MS / 8);
	use(clock_wall_ms() - HOUR_MS / 2, false);
	assert_int_equal(spent(&next_ms).repo_id, repo.id);
	assert_string_equal(spent(&next_ms).note, "the 1 granted hours of t4-medium are used up");
}

static void a_grant_that_is_taken_back_is_over_at_once(void **state)
{
	struct err err = ERR_INIT;
	int64_t next_ms;

	assert_int_equal(grant_revoke(db, MINE, "t4-medium", &err), 0);
	give("t4-medium", GRANT_ANY);
	wish("t4-medium");
	assert_int_equal(spent(&next_ms).repo_id, 0);
	assert_int_equal(grant_revoke(db, MINE, "t4-medium", &err), 1);
	assert_int_equal(grant_revoke(db, MINE, "t4-medium", &err), 0);
	assert_false(may_have("t4-medium"));
	assert_int_equal(spent(&next_ms).repo_id, repo.id);
	assert_string_equal(spent(&next_ms).note, "the grant of t4-medium was taken back");
	assert_int_equal(give("t4-medium", HOUR_MS), 1);
	assert_int_equal(spent(&next_ms).repo_id, 0);
}

static void a_note_stays_until_the_next_wish(void **state)
{
	char note[GRANT_NOTE];
	struct err err = ERR_INIT;

	world_ok(grant_set_note(db, repo.id, "used up", &err), &err);
	world_ok(grant_note(db, repo.id, note, &err), &err);
	assert_string_equal(note, "used up");
	wish("cpu-basic"); /* that it is already */
	world_ok(grant_note(db, repo.id, note, &err), &err);
	assert_string_equal(note, "used up");
	wish("cpu-upgrade");
	world_ok(grant_note(db, repo.id, note, &err), &err);
	assert_string_equal(note, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(hardware_needs_a_grant_and_cpu_basic_none),
		TEST(administrators_need_none),
		TEST(the_same_grant_is_given_once_and_another_refused),
		TEST(hours_are_what_the_ledger_counts_from_the_grant_on),
		TEST(a_space_whose_hours_are_used_up_is_found),
		TEST(a_grant_that_is_taken_back_is_over_at_once),
		TEST(a_note_stays_until_the_next_wish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
