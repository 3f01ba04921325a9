#include "scratch.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "store/inspect.h"

static void add(void *arg, const char *fault)
{
	str_addf(arg, "%s\n", fault);
}

/* The database closed, as a hub leaves it; then changed by another program. */
static void close_and(struct scratch *scratch, const char *sql)
{
	sqlite3 *other = NULL;

	store_close(take(scratch->store));
	assert_int_equal(sqlite3_open(scratch->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static void finds_nothing_in_a_whole_one(void **state)
{
	owned(str_done) struct str faults = str_new(4096);
	struct inspect found = {0};
	struct err err = ERR_INIT;

	assert_ok(inspect_database(scratch_of(state)->path, add, &faults, &found, &err));
	assert_string_equal(faults.data, "");
	assert_int_equal(found.version, found.known);
}

static void names_a_reference_to_nothing(void **state)
{
	owned(str_done) struct str faults = str_new(4096);
	struct inspect found;
	struct err err = ERR_INIT;

	close_and(scratch_of(state), "INSERT INTO tokens (user_id, hash, name, role, created_ms)"
				     " VALUES (77, 'h', 'n', 'read', 1)");
	assert_ok(inspect_database(scratch_of(state)->path, add, &faults, &found, &err));
	assert_string_equal(faults.data,
			    "row 1 of tokens names a row of accounts that is not there\n");
}

static void names_a_damaged_index(void **state)
{
	owned(str_done) struct str faults = str_new(65536);
	struct inspect found;
	struct err err = ERR_INIT;

	/* The index of repos by owner loses an entry that its table has. */
	close_and(
		scratch_of(state),
		"INSERT INTO accounts (id, hex, type, name, created_ms)"
		" VALUES (1, 'a', 'user', 'me', 1);"
		"INSERT INTO repos (hex, type, owner_id, name, is_private, creator_id, created_ms,"
		" modified_ms) VALUES ('b', 'model', 1, 'm', 0, 1, 1, 1);"
		"PRAGMA writable_schema = ON;"
		"UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema"
		" WHERE name = 'spaces_env') WHERE name = 'repos_owner'");
	assert_ok(inspect_database(scratch_of(state)->path, add, &faults, &found, &err));
	assert_non_null(strstr(faults.data, "repos_owner"));
}

static void tells_other_schemas_and_leaves_them(void **state)
{
	owned(str_done) struct str faults = str_new(4096);
	struct inspect found;
	struct err err = ERR_INIT;

	close_and(scratch_of(state), "PRAGMA user_version = 1000");
	for (int i = 0; i < 2; i++) {
		assert_ok(inspect_database(scratch_of(state)->path, add, &faults, &found, &err));
		assert_int_equal(found.version, 1000);
		assert_true(found.known < 1000);
	}
}

static void a_file_that_is_no_database_is_an_error(void **state)
{
	owned(str_done) struct str faults = str_new(4096);
	struct scratch *scratch = scratch_of(state);
	char garbage[8192];
	struct inspect found;
	struct err err = ERR_INIT;

	store_close(take(scratch->store));
	memset(garbage, 'x', sizeof(garbage));
	owned(close) int fd = open(scratch->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, garbage, sizeof(garbage)), sizeof(garbage));
	assert_int_equal(inspect_database(scratch->path, add, &faults, &found, &err), -1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(finds_nothing_in_a_whole_one),
		CASE(names_a_reference_to_nothing),
		CASE(names_a_damaged_index),
		CASE(tells_other_schemas_and_leaves_them),
		CASE(a_file_that_is_no_database_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
