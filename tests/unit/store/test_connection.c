#include "scratch.h"

#include <stdio.h>
#include <string.h>

#include "store/connection.h"

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

static void a_statement_is_kept_for_the_next_who_asks(void **state)
{
	owned(connection_close) struct store_db *db = NULL;
	struct err err = ERR_INIT;
	char copy[] = "SELECT 1";

	assert_ok(connection_open(scratch_of(state)->path, CONNECTION_READ, &db, &err));
	sqlite3_stmt *first = connection_lend(db, "SELECT 1");
	sqlite3_stmt *second = connection_lend(db, "SELECT 1"); /* while the first is lent */
	assert_non_null(first);
	assert_ptr_not_equal(first, second);
	connection_return(db, first);
	connection_return(db, second);
	sqlite3_stmt *third = connection_lend(db, copy); /* known by its text, not by its address */
	assert_true(third == first || third == second);
	connection_return(db, third);
	memcpy(copy, "SELECT 2", sizeof(copy));
	sqlite3_stmt *other = connection_lend(db, copy);
	assert_true(other != first && other != second);
	connection_return(db, other);
}

static void a_returned_statement_has_forgotten_its_values(void **state)
{
	owned(connection_close) struct store_db *db = NULL;
	struct err err = ERR_INIT;
	static const char sql[] = "SELECT ? IS NULL";

	assert_ok(connection_open(scratch_of(state)->path, CONNECTION_READ, &db, &err));
	sqlite3_stmt *statement = connection_lend(db, sql);
	assert_int_equal(sqlite3_bind_text(statement, 1, "secret", -1, SQLITE_STATIC), SQLITE_OK);
	connection_return(db, statement);
	assert_ptr_equal(connection_lend(db, sql), statement);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(statement, 0), 1);
	connection_return(db, statement);
}

static void codes_of_sqlite_become_kinds(void **state)
{
	owned(connection_close) struct store_db *db = NULL;
	struct err err = ERR_INIT;
	static const struct {
		int code;
		enum err_kind kind;
	} table[] = {
		{SQLITE_CONSTRAINT_UNIQUE, ERR_EXISTS},
		{SQLITE_CONSTRAINT_PRIMARYKEY, ERR_EXISTS},
		{SQLITE_CONSTRAINT_ROWID, ERR_EXISTS},
		{SQLITE_CONSTRAINT_CHECK, ERR_SYSTEM},
		{SQLITE_CONSTRAINT_FOREIGNKEY, ERR_SYSTEM},
		{SQLITE_BUSY, ERR_BUSY},
		{SQLITE_BUSY_SNAPSHOT, ERR_BUSY},
		{SQLITE_FULL, ERR_FULL},
		{SQLITE_IOERR_READ, ERR_DISK},
		{SQLITE_READONLY, ERR_SYSTEM}, /* the file may be written, so it is our mistake */
		{SQLITE_CORRUPT, ERR_SYSTEM},
	};

	assert_ok(connection_open(scratch_of(state)->path, CONNECTION_READ, &db, &err));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(connection_fail(db, table[i].code, "why", &err), -1);
		assert_int_equal(err.kind, table[i].kind);
		assert_string_equal(err.text, "store: why");
	}
}

static void the_end_of_a_transaction_is_remembered_with_its_reason(void **state)
{
	owned(connection_close) struct store_db *db = NULL;
	struct err err = ERR_INIT;

	assert_ok(connection_open(scratch_of(state)->path, CONNECTION_WRITE, &db, &err));
	assert_ok(connection_exec(db, "BEGIN", &err));
	assert_true(connection_in_transaction(db));
	assert_int_equal(connection_fail(db, SQLITE_CONSTRAINT_CHECK, "harmless", &err), -1);
	assert_int_equal(db->lost.kind, ERR_NONE);
	assert_ok(connection_exec(db, "ROLLBACK", &err));
	assert_int_equal(connection_fail(db, SQLITE_FULL, "full", &err), -1);
	assert_int_equal(connection_fail(db, SQLITE_ERROR, "later", &err), -1);
	assert_int_equal(db->lost.kind, ERR_FULL);
}

static void a_reader_makes_no_database(void **state)
{
	struct store_db *db = NULL;
	struct err err = ERR_INIT;
	char path[128];

	snprintf(path, sizeof(path), "%s/missing.db", scratch_of(state)->dir);
	assert_int_equal(connection_open(path, CONNECTION_READ, &db, &err), -1);
	assert_null(db);
	assert_null(strstr(err.text, path));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(more_statements_than_the_cache_holds),
		TEST(a_statement_is_kept_for_the_next_who_asks),
		TEST(a_returned_statement_has_forgotten_its_values),
		TEST(codes_of_sqlite_become_kinds),
		TEST(the_end_of_a_transaction_is_remembered_with_its_reason),
		TEST(a_reader_makes_no_database),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
