#include "checking.h"

#include <sqlite3.h>

#include "scratch.h"
#include "store/audit.h"

static void add(struct store *store)
{
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(audit_add(store_tx_db(tx),
			    &(struct audit_entry){.action = "user.add", .target = "me"}, &err));
	assert_ok(store_tx_commit(tx, &err));
}

static void check(struct store *store, const char *said)
{
	struct checking checking;
	struct err err = ERR_INIT;

	checking_begin(&checking);
	checking.checkup.store = store;
	checking.checkup.repairs = true;
	assert_ok(checkup_audit(&checking.checkup, &err));
	if (*said)
		assert_non_null(strstr(checking_text(&checking), said));
	else
		assert_string_equal(checking_text(&checking), "");
	checking_end(&checking);
}

static void a_row_that_was_altered_is_named_and_not_mended(void **state)
{
	struct scratch *scratch = scratch_of(state);
	sqlite3 *other = NULL;

	add(scratch->store);
	add(scratch->store);
	check(scratch->store, "");
	assert_int_equal(sqlite3_open(scratch->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other,
				      "DROP TRIGGER audit_keeps;"
				      "UPDATE audit SET target = 'you' WHERE id = 2",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	for (int i = 0; i < 2; i++)
		check(scratch->store,
		      "problem: audit: row 2 does not follow from the rows before it");
}

static void without_a_database_nothing_is_said(void **state)
{
	check(NULL, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_row_that_was_altered_is_named_and_not_mended),
		cmocka_unit_test(without_a_database_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
