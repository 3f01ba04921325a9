#include "rows.h"

static void a_row_is_replaced(void **state)
{
	struct rows *rows = *state;
	owned(listing_done) struct listing found = {0};
	struct listing old = {.library = "",
			      .task = "",
			      .title = "Old",
			      .card = "{}",
			      .tags = "a\n",
			      .links = ""};
	struct listing new = {.library = "keras",
			      .task = "fill-mask",
			      .title = "New",
			      .card = "{\"a\":1}",
			      .tags = "b\n",
			      .links = "model:x\n"};
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
	assert_string_equal(found.library, "keras");
	assert_string_equal(found.task, "fill-mask");
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

/* What listing_each() has told, by index. */
struct told {
	char names[4][FULL_NAME_ROOM];
	char tags[4][16];
};

static void tell(void *arg, size_t index, const struct repo *repo, struct listing *listing)
{
	struct told *told = arg;

	snprintf(told->names[index], sizeof(told->names[index]), "%s", repo->full_name);
	snprintf(told->tags[index], sizeof(told->tags[index]), "%s", listing->tags);
	assert_string_equal(listing->card, "{}");
	listing_done(listing);
}

static void several_are_read_at_once_by_a_condition(void **state)
{
	struct rows *rows = *state;
	owned(store_read_end) struct store_read *read = NULL;
	struct repo open = {.type = REPO_MODEL, .owner_id = ROWS_BOB, .name = "open"};
	struct repo bare = {.type = REPO_SPACE, .owner_id = ROWS_ADA, .name = "bare"};
	struct repo hidden = {
		.type = REPO_MODEL, .owner_id = ROWS_ADA, .name = "hidden", .is_private = true};
	const struct store_condition public = {"(r.is_private = 0 AND r.owner_id < ?)", 1, {9}};
	int64_t ids[4] = {0, 999};
	struct told told = {0};
	struct err err = ERR_INIT;

	ids[3] = rows_add(rows, &open, "a\n", 1);
	ids[0] = rows_add(rows, &bare, NULL, 1);
	ids[2] = rows_add(rows, &hidden, "b\n", 1);
	rows_ok(store_read_begin(rows->store, &read, &err), &err);
	rows_ok(listing_each(store_read_db(read),
			     &(struct listing_pick){.ids = ids,
						    .count = 4,
						    .condition = &public,
						    .each = tell,
						    .arg = &told},
			     &err),
		&err);
	assert_string_equal(told.names[0], "Ada/bare");
	assert_string_equal(told.tags[0], "");
	assert_string_equal(told.names[1], "");
	assert_string_equal(told.names[2], "");
	assert_string_equal(told.names[3], "bob/open");
	assert_string_equal(told.tags[3], "a\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_row_is_replaced, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(several_are_read_at_once_by_a_condition, rows_setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(a_row_goes_with_its_repository, rows_setup,
						rows_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
