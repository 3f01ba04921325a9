#include "scratch.h"

#include "store/audit.h"

static void a_row_tells_who_did_what(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;
	const struct audit_entry entry = {
		.actor_id = 7,
		.token_id = 9,
		.action = "repo.create",
		.target = "spaces/me/demo",
	};

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(audit_add(store_tx_db(tx), &entry, &err));
	assert_ok(store_tx_commit(tx, &err));
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit WHERE actor_id = 7 AND "
					    "token_id = 9 AND action = 'repo.create' AND "
					    "target = 'spaces/me/demo' AND detail = '' AND "
					    "at_ms > 1700000000000"),
			 1);
}

static void a_change_that_is_undone_leaves_no_row(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;
	const struct audit_entry entry = {.action = "user.add", .target = "me", .detail = "admin"};

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(audit_add(store_tx_db(tx), &entry, &err));
	store_tx_end(tx);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_row_tells_who_did_what),
		TEST(a_change_that_is_undone_leaves_no_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
