#include "scratch.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "store/audit.h"

static void add(struct store *store, const struct audit_entry *entry)
{
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(audit_add(store_tx_db(tx), entry, &err));
	assert_ok(store_tx_commit(tx, &err));
}

static void a_row_tells_who_did_what_from_where(void **state)
{
	struct store *store = scratch_of(state)->store;
	const struct audit_who who = {
		.actor_id = 7,
		.actor = "me",
		.token_id = 9,
		.token = "laptop",
		.address = "192.0.2.1",
		.via = "POST /api/repos/create",
		.request = "Root=1",
		.agent = "curl/8",
	};

	add(store, &(struct audit_entry){
			   .who = &who, .action = "repo.create", .target = "spaces/me/demo"});
	assert_int_equal(
		scratch_ask(store,
			    "SELECT count(*) FROM audit WHERE id = 1 AND actor_id = 7 AND "
			    "actor = 'me' AND token_id = 9 AND token = 'laptop' AND "
			    "address = '192.0.2.1' AND via = 'POST /api/repos/create' AND "
			    "request = 'Root=1' AND agent = 'curl/8' AND action = 'repo.create' "
			    "AND target = 'spaces/me/demo' AND detail = '' AND "
			    "length(hash) = 64 AND at_ms > 1700000000000"),
		1);
}

static void who_names_nobody_is_who_signed_the_store_or_the_hub(void **state)
{
	struct store *store = scratch_of(state)->store;
	const struct audit_who root = {.actor = "uid 0", .address = "local"};
	const struct audit_entry entry = {.action = "user.add", .target = "me"};

	add(store, &entry);
	store_sign(store, &root);
	add(store, &entry);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit WHERE id = 1 AND "
					    "actor_id = 0 AND actor = 'the hub'"),
			 1);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit WHERE id = 2 AND "
					    "actor = 'uid 0' AND address = 'local'"),
			 1);
}

static void a_change_that_is_undone_leaves_no_row_and_no_gap(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;
	const struct audit_entry entry = {.action = "user.add", .target = "me", .detail = "admin"};

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(audit_add(store_tx_db(tx), &entry, &err));
	store_tx_end(tx);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit"), 0);
	add(store, &entry);
	assert_int_equal(scratch_ask(store, "SELECT max(id) FROM audit"), 1);
}

/* The ids that a query finds, "3 1 ". */
static void add_id(void *arg, const struct audit_row *row)
{
	char *out = arg;

	snprintf(out + strlen(out), 8, "%lld ", (long long)row->id);
}

static void find(struct store *store, const struct audit_query *query, char out[static 64])
{
	owned(store_read_end) struct store_read *read = NULL;
	struct err err = ERR_INIT;

	out[0] = '\0';
	assert_ok(store_read_begin(store, &read, &err));
	assert_ok(audit_each(store_read_db(read), query, add_id, out, &err));
}

#define assert_found(wanted, ...)                                        \
	do {                                                             \
		char found_[64];                                         \
		find(store, &(struct audit_query){__VA_ARGS__}, found_); \
		assert_string_equal(found_, (wanted));                   \
	} while (0)

static void rows_are_found_by_who_what_and_when(void **state)
{
	struct store *store = scratch_of(state)->store;
	const struct audit_who me = {.actor_id = 1, .actor = "me"};
	const struct audit_who other = {.actor_id = 2, .actor = "other"};

	add(store, &(struct audit_entry){&me, "repo.create", "spaces/me/demo", NULL});
	add(store, &(struct audit_entry){&me, "space.secret.set", "spaces/me/demo", "KEY"});
	add(store, &(struct audit_entry){&other, "repo.create", "models/me/demo", NULL});
	add(store, &(struct audit_entry){&other, "space.secrets", "spaces/other/me", NULL});
	assert_found("4 3 2 1 ", .limit = 0);
	assert_found("4 3 ", .limit = 2);
	assert_found("2 1 ", .before_id = 3);
	assert_found("2 1 ", .actor = "ME");
	assert_found("3 2 1 ", .target = "me/demo");
	assert_found("2 1 ", .target = "spaces/me/demo");
	assert_found("", .target = "me");
	assert_found("2 ", .action = "space.secret");
	assert_found("3 1 ", .action = "repo.create");
	assert_found("", .action = "repo.c");
	assert_found("", .since_ms = INT64_MAX);
	assert_found("", .until_ms = 1);
	assert_found("3 ", .actor = "other", .target = "me/demo", .action = "repo");
}

static void keep(void *arg, const struct audit_row *row)
{
	*(json_t **)arg = audit_json(row);
}

static void its_json_has_every_field(void **state)
{
	static const char *const keys[] = {
		"id",  "createdAt", "atMs",      "actorId", "actor",  "tokenId", "token", "address",
		"via", "requestId", "userAgent", "action",  "target", "detail",  "hash"};
	struct store *store = scratch_of(state)->store;
	owned(store_read_end) struct store_read *read = NULL;
	owned(json_decref) json_t *json = NULL;
	struct err err = ERR_INIT;

	add(store, &(struct audit_entry){.action = "a", .target = "b", .detail = "\xff"});
	assert_ok(store_read_begin(store, &read, &err));
	assert_ok(audit_each(store_read_db(read), &(struct audit_query){0}, keep, &json, &err));
	assert_int_equal(json_object_size(json), sizeof(keys) / sizeof(keys[0]));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_non_null(json_object_get(json, keys[i]));
	assert_string_equal(json_string_value(json_object_get(json, "actor")), "the hub");
	assert_string_equal(json_string_value(json_object_get(json, "detail")), "?");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_row_tells_who_did_what_from_where),
		TEST(who_names_nobody_is_who_signed_the_store_or_the_hub),
		TEST(a_change_that_is_undone_leaves_no_row_and_no_gap),
		TEST(rows_are_found_by_who_what_and_when),
		TEST(its_json_has_every_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
