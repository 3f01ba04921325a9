#include "rows.h"

static void a_row_is_replaced(void **state)
{
	struct rows *rows = *state;
	owned(listing_done) struct listing found = {0};
	struct listing old = {.title = "Old", .card = "{}", .tags = "a\n", .links = ""};
	struct listing new = {
		.title = "New", .card = "{\"a\":1}", .tags = "b\n", .links = "model:x\n"};
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;
	struct repo repo = {.type = REPO_SPACE, .owner_id = ROWS_ADA, .name = "demo"};
	int64_t id = rows_add(rows, &repo, NULL, 1);
	struct store_db *db;

	memset(new.head, 'c', GIT_HEX - 1);
	rows_ok(store_tx_begin(rows->store, &tx, &err), &err);
	db = store_tx_db(tx);
	assert_int_equal(listing_find(db, id, &found, &err), 0);
	rows_ok(listing_put(db, id, &old, &err), &err);
	rows_ok(listing_put(db, id, &new, &err), &err);
	assert_int_equal(listing_find(db, id, &found, &err), 1);
	assert_string_equal(found.head, new.head);
	assert_string_equal(found.title, "New");
	assert_string_equal(found.card, "{\"a\":1}");
	assert_string_equal(found.tags, "b\n");
	assert_string_equal(found.links, "model:x\n");
}

static void a_row_goes_with_its_repository(void **state)
{
	struct rows *rows = *state;
	owned(listing_done) struct listing found = {0};
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;
	struct repo repo = {.type = REPO_MODEL, .owner_id = ROWS_ADA, .name = "demo"};
	int64_t id = rows_add(rows, &repo, "a\n", 1);

	rows_ok(store_tx_begin(rows->store, &tx, &err), &err);
	rows_ok(repo_remove(store_tx_db(tx), id, &err), &err);
	assert_int_equal(listing_find(store_tx_db(tx), id, &found, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_row_is_replaced, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(a_row_goes_with_its_repository, rows_setup,
						rows_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
