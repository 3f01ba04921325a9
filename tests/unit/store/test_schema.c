#include "scratch.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/schema.h"

static int64_t step_count(void)
{
	int64_t count = 0;

	while (schema_steps[count])
		count++;
	return count;
}

/* What a program of another version, or somebody with sqlite3, does to the file. */
static void run_aside(const char *path, const char *sql)
{
	sqlite3 *other = NULL;

	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static void a_new_database_has_all_steps(void **state)
{
	struct store *store = scratch_of(state)->store;

	assert_true(step_count() >= 1);
	assert_int_equal(scratch_ask(store, "PRAGMA user_version"), step_count());
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM sqlite_schema WHERE "
					    "type = 'table' AND name IN ('accounts', 'members', "
					    "'tokens', 'token_scopes', 'repos', 'spaces', "
					    "'secrets', 'variables', 'volumes', 'runs', 'ledger', "
					    "'audit', 'meta')"),
			 13);
}

static void every_table_is_strict(void **state)
{
	assert_int_equal(scratch_ask(scratch_of(state)->store,
				     "SELECT count(*) FROM pragma_table_list "
				     "WHERE schema = 'main' AND type = 'table' AND NOT strict AND "
				     "name NOT LIKE 'sqlite_%'"),
			 0);
}

static void opening_again_changes_nothing(void **state)
{
	struct scratch *scratch = scratch_of(state);
	struct err err = ERR_INIT;

	scratch_write(scratch->store, "INSERT INTO meta VALUES ('a', 'b')");
	store_close(take(scratch->store));
	assert_ok(store_open(scratch->path, &scratch->store, &err));
	assert_int_equal(scratch_ask(scratch->store, "SELECT count(*) FROM meta"), 1);
}

static void a_newer_database_is_refused_and_left_alone(void **state)
{
	struct scratch *scratch = scratch_of(state);
	struct store *store = NULL;
	struct err err = ERR_INIT;

	run_aside(scratch->path, "PRAGMA user_version = 9999");
	assert_int_equal(store_open(scratch->path, &store, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "9999"));
	assert_null(store);
	assert_int_equal(scratch_ask(scratch->store, "PRAGMA user_version"), 9999);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	struct scratch *scratch = scratch_of(state);
	struct store *store = NULL;
	struct err err = ERR_INIT;
	char path[128];

	snprintf(path, sizeof(path), "%s/other", scratch->dir);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("this is a letter, not a database. ", file);
	fclose(file);
	assert_int_equal(store_open(path, &store, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_null(strstr(err.text, scratch->dir));
}

/* A step that fails in its middle leaves nothing: here its first table is there already. */
static void a_step_is_taken_whole_or_not_at_all(void **state)
{
	struct scratch *scratch = scratch_of(state);
	owned(store_close) struct store *store = NULL;
	struct err err = ERR_INIT;
	char path[128];

	snprintf(path, sizeof(path), "%s/half.db", scratch->dir);
	run_aside(path, "CREATE TABLE audit (id INTEGER)");
	assert_int_equal(store_open(path, &store, &err), -1);
	assert_non_null(strstr(err.text, "schema step 1"));
	run_aside(path, "DROP TABLE audit");
	assert_ok(store_open(path, &store, &err));
	assert_int_equal(scratch_ask(store, "PRAGMA user_version"), step_count());
}

/* What the first schema held: scopes that could only write, and no word on who may visit an app. */
static void rows_of_the_first_schema_mean_what_they_meant(void **state)
{
	struct scratch *scratch = scratch_of(state);
	owned(store_close) struct store *store = NULL;
	struct err err = ERR_INIT;
	char path[128];

	snprintf(path, sizeof(path), "%s/old.db", scratch->dir);
	run_aside(path, schema_steps[0]);
	run_aside(path, "PRAGMA user_version = 1;"
			"INSERT INTO accounts (id, hex, type, name, created_ms)"
			" VALUES (1, 'a', 'user', 'me', 0);"
			"INSERT INTO tokens (id, user_id, hash, name, role, created_ms)"
			" VALUES (1, 1, 'h', 'ci', 'fineGrained', 0);"
			"INSERT INTO token_scopes (token_id, full_name) VALUES (1, 'me/demo');"
			"INSERT INTO repos (hex, type, owner_id, name, is_private, creator_id,"
			" created_ms, modified_ms) VALUES ('r', 'space', 1, 'demo', 1, 1, 0, 0);");
	assert_ok(store_open(path, &store, &err));
	assert_int_equal(
		scratch_ask(store, "SELECT count(*) FROM token_scopes WHERE may = 'write'"), 1);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM repos WHERE is_private AND "
					    "NOT is_protected AND gated = ''"),
			 1);
}

static void two_processes_may_make_it_at_once(void **state)
{
	enum { CHILDREN = 4 };
	struct scratch *scratch = scratch_of(state);
	char path[128];
	int gate[2];

	snprintf(path, sizeof(path), "%s/shared.db", scratch->dir);
	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < CHILDREN; i++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			struct err err = ERR_INIT;
			struct store *store = NULL;
			char byte;

			close(gate[1]);
			if (read(gate[0], &byte, 1) != 0) /* until all are there */
				_exit(2);
			int result = store_open(path, &store, &err);
			if (result < 0)
				fprintf(stderr, "%s\n", err.text);
			store_close(store);
			_exit(result < 0);
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < CHILDREN; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_new_database_has_all_steps),
		TEST(every_table_is_strict),
		TEST(opening_again_changes_nothing),
		TEST(a_newer_database_is_refused_and_left_alone),
		TEST(a_file_that_is_no_database_is_refused),
		TEST(a_step_is_taken_whole_or_not_at_all),
		TEST(rows_of_the_first_schema_mean_what_they_meant),
		TEST(two_processes_may_make_it_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
