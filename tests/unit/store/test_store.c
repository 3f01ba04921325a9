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
		TEST(acknowledged_means_there_after_a_kill),
		TEST(processes_wait_for_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
