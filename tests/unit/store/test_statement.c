#include "scratch.h"

#include <string.h>

#define ADD   "INSERT INTO meta (key, value) VALUES (?, ?)"
#define COUNT "SELECT count(*) FROM meta"

static int add(struct store_db *db, const char *key, struct err *err)
{
	owned(store_query_end) struct store_query *q = store_query(db, ADD);

	store_bind_text(q, key);
	store_bind_text(q, "value");
	return store_step(q, err);
}

static void a_conflict_is_named_and_costs_only_its_statement(void **state)
{
	struct store *store = scratch_of(state)->store;
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(add(store_tx_db(tx), "a", &err));
	assert_int_equal(add(store_tx_db(tx), "a", &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_ok(add(store_tx_db(tx), "b", &err));
	assert_ok(store_tx_commit(take(tx), &err));
	assert_int_equal(scratch_ask(store, COUNT), 2);
}

static void a_broken_reference_is_refused(void **state)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_tx_begin(scratch_of(state)->store, &tx, &err));
	owned(store_query_end) struct store_query *q =
		store_query(store_tx_db(tx),
			    "INSERT INTO members (org_id, user_id, role) VALUES (1, 2, 'read')");
	assert_int_equal(store_step(q, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
}

static void wrong_sql_is_told_by_the_step(void **state)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_read_begin(scratch_of(state)->store, &read, &err));
	owned(store_query_end) struct store_query *q =
		store_query(store_read_db(read), "SELECT a FROM nowhere WHERE a = ?");
	store_bind_int(q, 1);
	assert_int_equal(store_step(q, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_non_null(strstr(err.text, "nowhere"));
}

static void values_come_back_as_they_were_bound(void **state)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct err err = ERR_INIT;
	size_t length = 0;
	char text[8];

	assert_ok(store_read_begin(scratch_of(state)->store, &read, &err));
	owned(store_query_end) struct store_query *q =
		store_query(store_read_db(read), "SELECT ?, ?, ?, ?, typeof(?)");
	store_bind_text(q, "text");
	store_bind_text(q, NULL);
	store_bind_int(q, INT64_MIN);
	store_bind_blob(q, "a\0b", 3);
	store_bind_blob(q, NULL, 0);
	assert_int_equal(store_step(q, &err), 1);
	store_copy(q, 0, text, sizeof(text));
	assert_string_equal(text, "text");
	assert_null(store_text(q, 1));
	store_copy(q, 1, text, sizeof(text));
	assert_string_equal(text, "");
	assert_true(store_int(q, 2) == INT64_MIN);
	assert_memory_equal(store_blob(q, 3, &length), "a\0b", 3);
	assert_int_equal(length, 3);
	assert_string_equal(store_text(q, 4), "blob");
	assert_int_equal(store_step(q, &err), 0);
	assert_int_equal(store_step(q, &err), 0); /* a query runs once */
}

static void the_same_sql_may_be_open_twice(void **state)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct err err = ERR_INIT;
	static const char sql[] = "SELECT 1 UNION ALL SELECT 2";

	assert_ok(store_read_begin(scratch_of(state)->store, &read, &err));
	owned(store_query_end) struct store_query *outer = store_query(store_read_db(read), sql);
	assert_int_equal(store_step(outer, &err), 1);
	for (int expected = 1; expected <= 2; expected++) {
		owned(store_query_end) struct store_query *inner =
			store_query(store_read_db(read), sql);

		assert_int_equal(store_step(inner, &err), 1);
		assert_int_equal(store_int(inner, 0), 1);
		assert_int_equal(store_int(outer, 0), expected);
		assert_int_equal(store_step(outer, &err), expected == 1);
	}
}

/* The usual shape of a caller: the query is still in scope when the transaction is handed over. */
static void a_query_may_outlive_its_transaction(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct store_tx *tx = NULL;
	struct store_read *read = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_tx_begin(store, &tx, &err));
	struct store_query *q = store_query(store_tx_db(tx), "SELECT 1 UNION SELECT 2");
	assert_int_equal(store_step(q, &err), 1);
	assert_ok(store_tx_commit(tx, &err));
	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(add(store_tx_db(tx), "a", &err));
	store_query_end(q);
	assert_ok(store_tx_commit(tx, &err));

	assert_ok(store_read_begin(store, &read, &err));
	q = store_query(store_read_db(read), COUNT);
	assert_int_equal(store_step(q, &err), 1);
	store_read_end(read);
	store_query_end(q);
}

static void rows_and_ids_are_counted(void **state)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_tx_begin(scratch_of(state)->store, &tx, &err));
	struct store_db *db = store_tx_db(tx);
	for (int i = 1; i <= 3; i++) {
		owned(store_query_end) struct store_query *q = store_query(
			db, "INSERT INTO ledger (repo_id, run_key, flavor, from_ms, from_mono) "
			    "VALUES (0, hex(randomblob(8)), 'b', 0, 0)");
		assert_ok(store_step(q, &err));
		assert_int_equal(store_last_id(db), i);
	}
	owned(store_query_end) struct store_query *q =
		store_query(db, "UPDATE ledger SET flavor = 'c' WHERE id > 1");
	assert_ok(store_step(q, &err));
	assert_int_equal(store_changes(db), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_conflict_is_named_and_costs_only_its_statement),
		TEST(a_broken_reference_is_refused),
		TEST(wrong_sql_is_told_by_the_step),
		TEST(values_come_back_as_they_were_bound),
		TEST(the_same_sql_may_be_open_twice),
		TEST(a_query_may_outlive_its_transaction),
		TEST(rows_and_ids_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
