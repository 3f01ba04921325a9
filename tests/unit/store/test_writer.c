#include "scratch.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "disk.h"

#define COUNT "SELECT count(*) FROM meta"

/* A thread that adds one row, and how that went. */
struct hand {
	pthread_t thread;
	struct store *store;
	char key[16];
	bool gives_up;
	int result;
	struct err err;
};

static int add(struct store_db *db, const char *key, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "INSERT INTO meta (key, value) VALUES (?, '')");

	store_bind_text(q, key);
	return store_step(q, err);
}

static void *work(void *arg)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct hand *hand = arg;

	hand->result = -1;
	if (store_tx_begin(hand->store, &tx, &hand->err) < 0 ||
	    add(store_tx_db(tx), hand->key, &hand->err) < 0)
		return NULL;
	if (hand->gives_up)
		hand->result = 0;
	else
		hand->result = store_tx_commit(take(tx), &hand->err);
	return NULL;
}

/* Start `count` hands behind the caller, who has the turn; returns when all stand in line. */
static void line_up(struct store *store, struct hand *hands, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		hands[i].store = store;
		snprintf(hands[i].key, sizeof(hands[i].key), "hand-%u", i);
		assert_int_equal(pthread_create(&hands[i].thread, NULL, work, &hands[i]), 0);
		while (store_waiting(store) != i + 1)
			sched_yield();
	}
}

static void join(struct hand *hands, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(pthread_join(hands[i].thread, NULL), 0);
}

static void every_lone_commit_reaches_the_disk(void **state)
{
	struct store *store = scratch_of(state)->store;

	scratch_write(store, "INSERT INTO meta VALUES ('a', '')");
	unsigned before = disk_log_syncs();
	scratch_write(store, "INSERT INTO meta VALUES ('b', '')");
	assert_int_equal(disk_log_syncs(), before + 1);
	scratch_write(store, "INSERT INTO meta VALUES ('c', '')");
	assert_int_equal(disk_log_syncs(), before + 2);
}

static void those_who_wait_share_one_sync(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct hand hands[8] = {0};
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	scratch_write(store, "INSERT INTO meta VALUES ('first', '')");
	unsigned before = disk_log_syncs();
	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(add(store_tx_db(tx), "leader", &err));
	line_up(store, hands, 8);
	assert_ok(store_tx_commit(tx, &err));
	join(hands, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(hands[i].result, 0);
	assert_int_equal(disk_log_syncs(), before + 1);
	assert_int_equal(scratch_ask(store, COUNT), 10);
}

static void who_gives_up_takes_nobody_along(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct hand hands[6] = {[1].gives_up = true, [3].gives_up = true, [5].gives_up = true};
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(add(store_tx_db(tx), "dropped", &err));
	line_up(store, hands, 6);
	store_tx_end(tx);
	join(hands, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(hands[i].result, 0);
	assert_int_equal(scratch_ask(store, COUNT), 3);
	assert_int_equal(scratch_ask(store,
				     "SELECT count(*) FROM meta WHERE key IN ('hand-0', 'hand-2', "
				     "'hand-4')"),
			 3);
}

/* The twin of a row that an earlier one of the group has added fails; the others don't. */
static void a_conflict_in_a_group_is_its_own(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct hand hands[3] = {0};
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(add(store_tx_db(tx), "hand-1", &err));
	line_up(store, hands, 3);
	assert_ok(store_tx_commit(tx, &err));
	join(hands, 3);
	assert_int_equal(hands[0].result, 0);
	assert_int_equal(hands[1].result, -1);
	assert_int_equal(hands[1].err.kind, ERR_EXISTS);
	assert_int_equal(hands[2].result, 0);
	assert_int_equal(scratch_ask(store, COUNT), 3);
}

static void a_group_is_not_endless(void **state)
{
	enum { HANDS = 70 };
	struct store *store = scratch_of(state)->store;
	struct hand hands[HANDS] = {0};
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	scratch_write(store, "INSERT INTO meta VALUES ('first', '')");
	unsigned before = disk_log_syncs();
	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(add(store_tx_db(tx), "leader", &err));
	line_up(store, hands, HANDS);
	assert_ok(store_tx_commit(tx, &err));
	join(hands, HANDS);
	assert_int_equal(disk_log_syncs(), before + 2);
	assert_int_equal(scratch_ask(store, COUNT), HANDS + 2);
}

static void a_failed_commit_is_told_to_the_whole_group(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct hand hands[4] = {0};
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	scratch_write(store, "INSERT INTO meta VALUES ('first', '')");
	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(add(store_tx_db(tx), "leader", &err));
	line_up(store, hands, 4);
	disk_fail_sync(true);
	assert_int_equal(store_tx_commit(tx, &err), -1);
	assert_int_equal(err.kind, ERR_DISK);
	join(hands, 4);
	disk_fail_sync(false);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(hands[i].result, -1);
		assert_int_equal(hands[i].err.kind, ERR_DISK);
	}
	assert_int_equal(scratch_ask(store, COUNT), 1);
	scratch_write(store, "INSERT INTO meta VALUES ('after', '')");
	assert_int_equal(scratch_ask(store, COUNT), 2);
}

/* More than a connection caches, so that SQLite must write in the middle of the statement. */
static int add_much(struct store_db *db, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "INSERT INTO meta (key, value) SELECT 'big-' || value, "
				"hex(zeroblob(100000)) FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12,"
				"13,14,15,16,17,18,19,20]')");

	return store_step(q, err);
}

/*
 * On a full disk SQLite rolls the whole transaction back under the hands of its user. Whatever that
 * one tries next must not run outside of a transaction, and the group must hear of it.
 */
static void a_full_disk_loses_the_group_and_nothing_slips_through(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct hand hand = {0};
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	scratch_write(store, "INSERT INTO meta VALUES ('first', '')");
	assert_ok(store_tx_begin(store, &tx, &err));
	disk_fill(true);
	assert_int_equal(add_much(store_tx_db(tx), &err), -1);
	assert_int_equal(err.kind, ERR_FULL);
	disk_fill(false);
	assert_int_equal(add(store_tx_db(tx), "stray", &err), -1);
	assert_int_equal(err.kind, ERR_FULL);
	line_up(store, &hand, 1);
	assert_int_equal(store_tx_commit(tx, &err), -1);
	assert_int_equal(err.kind, ERR_FULL);
	join(&hand, 1);
	assert_int_equal(hand.result, 0); /* came later, in a transaction of its own */
	assert_int_equal(scratch_ask(store, COUNT), 2);
}

static void *fill_up(void *arg)
{
	struct hand *hand = arg;
	struct store_tx *tx = NULL;

	hand->result = store_tx_begin(hand->store, &tx, &hand->err);
	if (hand->result < 0)
		return NULL;
	disk_fill(true);
	hand->result = add_much(store_tx_db(tx), &hand->err);
	disk_fill(false);
	store_tx_end(tx);
	return NULL;
}

static void those_before_a_full_disk_hear_of_it(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct hand hand = {.store = store};
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	scratch_write(store, "INSERT INTO meta VALUES ('first', '')");
	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(add(store_tx_db(tx), "early", &err));
	assert_int_equal(pthread_create(&hand.thread, NULL, fill_up, &hand), 0);
	while (store_waiting(store) != 1)
		sched_yield();
	assert_int_equal(store_tx_commit(tx, &err), -1);
	assert_int_equal(err.kind, ERR_FULL);
	join(&hand, 1);
	assert_int_equal(hand.err.kind, ERR_FULL);
	assert_int_equal(scratch_ask(store, COUNT), 1);
}

static void *stress(void *arg)
{
	enum { ROUNDS = 50 };
	struct hand *hand = arg;
	char key[48];

	for (int i = 0; i < ROUNDS; i++) {
		owned(store_tx_end) struct store_tx *tx = NULL;
		owned(store_read_end) struct store_read *read = NULL;

		snprintf(key, sizeof(key), "%s/%d", hand->key, i);
		hand->result = store_tx_begin(hand->store, &tx, &hand->err);
		if (hand->result == 0)
			hand->result = add(store_tx_db(tx), key, &hand->err);
		if (hand->result == 0 && i % 5 != 0)
			hand->result = store_tx_commit(take(tx), &hand->err);
		if (hand->result < 0)
			return NULL;
		store_tx_end(take(tx));
		hand->result = store_read_begin(hand->store, &read, &hand->err);
		if (hand->result < 0)
			return NULL;
		owned(store_query_end) struct store_query *q =
			store_query(store_read_db(read), "SELECT count(*) FROM meta WHERE key = ?");
		store_bind_text(q, key);
		/* An acknowledged row is there for every reading that begins afterwards. */
		if (store_step(q, &hand->err) != 1 || store_int(q, 0) != (i % 5 != 0))
			hand->result = -1;
		if (hand->result < 0)
			return NULL;
	}
	return NULL;
}

static void many_threads_read_what_they_wrote(void **state)
{
	enum { HANDS = 8 };
	struct store *store = scratch_of(state)->store;
	struct hand hands[HANDS] = {0};

	for (unsigned i = 0; i < HANDS; i++) {
		hands[i].store = store;
		snprintf(hands[i].key, sizeof(hands[i].key), "hand-%u", i);
		assert_int_equal(pthread_create(&hands[i].thread, NULL, stress, &hands[i]), 0);
	}
	join(hands, HANDS);
	for (unsigned i = 0; i < HANDS; i++)
		if (hands[i].result < 0)
			fail_msg("%s: %s", hands[i].key, hands[i].err.text);
	assert_int_equal(scratch_ask(store, COUNT), HANDS * 40);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_lone_commit_reaches_the_disk),
		TEST(those_who_wait_share_one_sync),
		TEST(who_gives_up_takes_nobody_along),
		TEST(a_conflict_in_a_group_is_its_own),
		TEST(a_group_is_not_endless),
		TEST(a_failed_commit_is_told_to_the_whole_group),
		TEST(a_full_disk_loses_the_group_and_nothing_slips_through),
		TEST(those_before_a_full_disk_hear_of_it),
		TEST(many_threads_read_what_they_wrote),
	};

	disk_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
