#include "scratch.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ADD   "INSERT INTO meta (key, value) VALUES (?, ?)"
#define COUNT "SELECT count(*) FROM meta"

static int add(struct store_db *db, const char *key, struct err *err)
{
	owned(store_query_end) struct store_query *q = store_query(db, ADD);

	store_bind_text(q, key);
	store_bind_text(q, "value");
	return store_step(q, err);
}

static void the_file_is_private(void **state)
{
	struct stat status;

	assert_int_equal(stat(scratch_of(state)->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void connections_are_durable_and_strict(void **state)
{
	struct store *store = scratch_of(state)->store;
	const int full = 2;
	struct err err = ERR_INIT;

	assert_int_equal(scratch_ask(store, "PRAGMA synchronous"), full);
	assert_int_equal(scratch_ask(store, "PRAGMA foreign_keys"), 1);

	owned(store_tx_end) struct store_tx *tx = NULL;
	assert_ok(store_tx_begin(store, &tx, &err));
	owned(store_query_end) struct store_query *q =
		store_query(store_tx_db(tx), "PRAGMA synchronous");
	assert_int_equal(store_step(q, &err), 1);
	assert_int_equal(store_int(q, 0), full);
	owned(store_query_end) struct store_query *mode =
		store_query(store_tx_db(tx), "PRAGMA journal_mode");
	assert_int_equal(store_step(mode, &err), 1);
	assert_string_equal(store_text(mode, 0), "wal");
}

static void a_commit_is_seen_and_a_rollback_is_not(void **state)
{
	struct scratch *scratch = scratch_of(state);
	owned(store_close) struct store *second = NULL;
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_open(scratch->path, &second, &err));
	assert_ok(store_tx_begin(scratch->store, &tx, &err));
	assert_ok(add(store_tx_db(tx), "kept", &err));
	assert_int_equal(scratch_ask(second, COUNT), 0);
	assert_ok(store_tx_commit(tx, &err));
	assert_int_equal(scratch_ask(second, COUNT), 1);

	assert_ok(store_tx_begin(scratch->store, &tx, &err));
	assert_ok(add(store_tx_db(tx), "dropped", &err));
	store_tx_end(tx);
	assert_int_equal(scratch_ask(second, COUNT), 1);
}

static void a_reading_sees_one_snapshot(void **state)
{
	struct store *store = scratch_of(state)->store;
	owned(store_read_end) struct store_read *read = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_read_begin(store, &read, &err));
	for (int i = 0; i < 2; i++) {
		owned(store_query_end) struct store_query *q =
			store_query(store_read_db(read), COUNT);

		assert_int_equal(store_step(q, &err), 1);
		assert_int_equal(store_int(q, 0), 0);
		if (i == 0)
			scratch_write(store, "INSERT INTO meta VALUES ('a', 'b')");
	}
	assert_int_equal(scratch_ask(store, COUNT), 1);
}

static void a_reading_cannot_write(void **state)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_read_begin(scratch_of(state)->store, &read, &err));
	assert_int_equal(add(store_read_db(read), "a", &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
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

static void more_statements_than_the_cache_holds(void **state)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct store_query *open[300];
	struct err err = ERR_INIT;
	char sql[64];

	assert_ok(store_read_begin(scratch_of(state)->store, &read, &err));
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 300; i++) {
			snprintf(sql, sizeof(sql), "SELECT %d", i);
			open[i] = store_query(store_read_db(read), sql);
			assert_int_equal(store_step(open[i], &err), 1);
		}
		for (int i = 0; i < 300; i++) {
			assert_int_equal(store_int(open[i], 0), i);
			store_query_end(open[i]);
		}
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
			db, "INSERT INTO audit (at_ms, actor_id, token_id, action, target) "
			    "VALUES (0, 0, 0, 'a', 'b')");
		assert_ok(store_step(q, &err));
		assert_int_equal(store_last_id(db), i);
	}
	owned(store_query_end) struct store_query *q =
		store_query(db, "UPDATE audit SET action = 'c' WHERE id > 1");
	assert_ok(store_step(q, &err));
	assert_int_equal(store_changes(db), 2);
}

/*
 * What is acknowledged survives the sudden death of the process, what isn't does not. That the disk
 * has it as well is shown in test_writer.c.
 */
static void acknowledged_means_there_after_a_kill(void **state)
{
	struct scratch *scratch = scratch_of(state);
	struct err err = ERR_INIT;
	int status;

	store_close(take(scratch->store));
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct store *store;
		struct store_tx *tx;

		if (store_open(scratch->path, &store, &err) < 0 ||
		    store_tx_begin(store, &tx, &err) < 0 || add(store_tx_db(tx), "a", &err) < 0 ||
		    store_tx_commit(tx, &err) < 0 || store_tx_begin(store, &tx, &err) < 0 ||
		    add(store_tx_db(tx), "b", &err) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_ok(store_open(scratch->path, &scratch->store, &err));
	assert_int_equal(scratch_ask(scratch->store, COUNT), 1);
	assert_int_equal(scratch_ask(scratch->store, "SELECT count(*) FROM meta WHERE key = 'a'"),
			 1);
}

/* As an administration word beside the running hub: both write, nobody fails. */
static void processes_wait_for_each_other(void **state)
{
	enum { EACH = 40 };
	struct scratch *scratch = scratch_of(state);
	struct err err = ERR_INIT;
	char key[32];
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	struct store *store = scratch->store;
	if (child == 0 && store_open(scratch->path, &store, &err) < 0)
		_exit(1);
	for (int i = 0; i < EACH; i++) {
		struct store_tx *tx = NULL;

		snprintf(key, sizeof(key), "%s-%d", child ? "parent" : "child", i);
		int result = store_tx_begin(store, &tx, &err);
		if (result == 0)
			result = add(store_tx_db(tx), key, &err);
		if (result == 0)
			result = store_tx_commit(tx, &err);
		if (child == 0 && result < 0)
			_exit(2);
		assert_ok(result);
	}
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(scratch_ask(scratch->store, COUNT), 2 * EACH);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_file_is_private),
		TEST(connections_are_durable_and_strict),
		TEST(a_commit_is_seen_and_a_rollback_is_not),
		TEST(a_reading_sees_one_snapshot),
		TEST(a_reading_cannot_write),
		TEST(a_conflict_is_named_and_costs_only_its_statement),
		TEST(a_broken_reference_is_refused),
		TEST(wrong_sql_is_told_by_the_step),
		TEST(values_come_back_as_they_were_bound),
		TEST(the_same_sql_may_be_open_twice),
		TEST(more_statements_than_the_cache_holds),
		TEST(a_query_may_outlive_its_transaction),
		TEST(rows_and_ids_are_counted),
		TEST(acknowledged_means_there_after_a_kill),
		TEST(processes_wait_for_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
