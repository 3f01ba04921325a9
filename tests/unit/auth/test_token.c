#include "scratch.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/token.h"
#include "people.h"

static int find_actor(struct store *store, const char *token, struct actor *out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(store, &read, err) < 0)
		return -1;
	return auth_actor(store_read_db(read), token, out, err);
}

static int add(struct store *store, int64_t user, const struct token_spec *spec,
	       char value[static TOKEN_ROOM], struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;

	assert_int_equal(store_tx_begin(store, &tx, err), 0);
	int result = token_add(store_tx_db(tx), user, spec, value, err);
	if (result >= 0)
		assert_int_equal(store_tx_commit(take(tx), err), 0);
	return result;
}

static void minted_tokens_are_hf_and_34_letters_and_digits(void **state)
{
	char first[TOKEN_ROOM];
	char second[TOKEN_ROOM];

	token_mint(first);
	token_mint(second);
	assert_int_equal(strlen(first), 37);
	assert_memory_equal(first, "hf_", 3);
	for (size_t i = 3; i < 37; i++)
		assert_true(isalnum((unsigned char)first[i]));
	assert_string_not_equal(first, second);
	assert_true(token_is_valid(first));
}

static void values_have_a_form(void **state)
{
	char longest[80] = "hf_";

	memset(longest + 3, 'x', 60);
	assert_true(token_is_valid(longest));
	longest[63] = 'x';
	assert_false(token_is_valid(longest));
	assert_true(token_is_valid("hf_a"));
	assert_true(token_is_valid("hf_a_B9"));
	static const char *const bad[] = {"",       "hf_",    "hf",          "api_org_x", "HF_abc",
					  "hf_a b", "hf_a\n", "hf_\xc3\xa9", " hf_a"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(token_is_valid(bad[i]));
}

static void a_token_leads_to_its_owner(void **state)
{
	struct store *store = scratch_of(state)->store;
	int64_t ada = people_add_user(store, "ada", true);
	const struct token_spec spec = {.name = "laptop", .role = AUTH_READ};
	char value[TOKEN_ROOM];
	struct actor actor;
	struct err err = ERR_INIT;

	assert_int_equal(add(store, ada, &spec, value, &err), 1);
	assert_ok(find_actor(store, value, &actor, &err));
	assert_int_equal(actor.user_id, ada);
	assert_string_equal(actor.name, "ada");
	assert_string_equal(actor.token_name, "laptop");
	assert_int_equal(strlen(actor.user_hex), 24);
	assert_true(actor.admin);
	assert_int_equal(actor.role, AUTH_READ);
	assert_true(actor.token_created_ms > 1700000000000);
	assert_int_equal(actor.scopes.count, 0);
}

static void what_is_no_token_of_ours_is_refused(void **state)
{
	struct store *store = scratch_of(state)->store;
	static const char *const wrong[] = {"", "hf_unknown", "me", "hf_' OR 1=1 --"};

	people_add_user(store, "ada", false);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct actor actor = {0};
		struct err err = ERR_INIT;

		assert_int_equal(find_actor(store, wrong[i], &actor, &err), -1);
		assert_int_equal(err.kind, ERR_BAD_TOKEN);
		assert_int_equal(actor.user_id, 0);
	}
}

static void the_value_is_nowhere_in_the_store(void **state)
{
	struct scratch *scratch = scratch_of(state);
	int64_t ada = people_add_user(scratch->store, "ada", false);
	const struct token_spec spec = {.value = "hf_PlainValueThatMustNotBeThere"};
	char value[TOKEN_ROOM];
	char files[2][96];
	struct err err = ERR_INIT;

	assert_int_equal(add(scratch->store, ada, &spec, value, &err), 1);
	snprintf(files[0], sizeof(files[0]), "%s", scratch->path);
	snprintf(files[1], sizeof(files[1]), "%s-wal", scratch->path);
	for (size_t i = 0; i < 2; i++) {
		static char bytes[4 << 20];
		FILE *file = fopen(files[i], "r");

		assert_non_null(file);
		size_t length = fread(bytes, 1, sizeof(bytes), file);
		fclose(file);
		assert_true(length > 0 && length < sizeof(bytes));
		assert_null(memmem(bytes, length, "PlainValue", 10));
	}
}

static void a_revoked_token_is_none(void **state)
{
	struct store *store = scratch_of(state)->store;
	int64_t ada = people_add_user(store, "ada", false);
	const struct token_spec spec = {.value = "hf_once", .name = "old", .role = AUTH_WRITE};
	struct store_tx *tx = NULL;
	char value[TOKEN_ROOM];
	struct actor actor;
	struct err err = ERR_INIT;
	int64_t id = 0;

	assert_int_equal(add(store, ada, &spec, value, &err), 1);
	assert_ok(store_tx_begin(store, &tx, &err));
	assert_int_equal(token_find(store_tx_db(tx), ada, "old", &id, &err), 1);
	assert_ok(token_revoke(store_tx_db(tx), id, &err));
	assert_int_equal(token_find(store_tx_db(tx), ada, "old", &id, &err), 0);
	assert_ok(store_tx_commit(tx, &err));
	assert_int_equal(find_actor(store, "hf_once", &actor, &err), -1);
	assert_int_equal(err.kind, ERR_BAD_TOKEN);

	/* Its value never comes back, its name may. */
	assert_int_equal(add(store, ada, &spec, value, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	const struct token_spec next = {.value = "hf_twice", .name = "old", .role = AUTH_WRITE};
	assert_int_equal(add(store, ada, &next, value, &err), 1);
}

static void importing_again_needs_the_same_data(void **state)
{
	struct store *store = scratch_of(state)->store;
	int64_t ada = people_add_user(store, "ada", false);
	int64_t bob = people_add_user(store, "bob", false);
	static const char *const scopes[] = {"repo.write:ada/demo", "repo.write:ada/Other", NULL};
	static const char *const same[] = {"repo.write:ada/other", "repo.write:ADA/demo",
					   "repo.write:ada/demo", NULL};
	static const char *const fewer[] = {"repo.write:ada/demo", NULL};
	static const char *const others[] = {"repo.write:ada/demo", "repo.write:ada/third", NULL};
	static const char *const weaker[] = {"repo.write:ada/demo", "repo.read:ada/other", NULL};
	const struct token_spec spec = {"hf_x", "ci", AUTH_FINE_GRAINED, scopes};
	const struct token_spec fine[] = {
		{"hf_x", "ci", AUTH_FINE_GRAINED, same},
		{"hf_x", NULL, AUTH_FINE_GRAINED, scopes},
	};
	const struct token_spec wrong[] = {
		{"hf_x", "cd", AUTH_FINE_GRAINED, scopes},
		{"hf_x", "ci", AUTH_WRITE, NULL},
		{"hf_x", "ci", AUTH_FINE_GRAINED, fewer},
		{"hf_x", "ci", AUTH_FINE_GRAINED, NULL},
		{"hf_x", "ci", AUTH_FINE_GRAINED, others},
		{"hf_x", "ci", AUTH_FINE_GRAINED, weaker},
	};
	char value[TOKEN_ROOM];
	struct err err = ERR_INIT;

	assert_int_equal(add(store, ada, &spec, value, &err), 1);
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		assert_int_equal(add(store, ada, &fine[i], value, &err), 0);
	assert_string_equal(value, "hf_x");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(add(store, ada, &wrong[i], value, &err), -1);
		assert_int_equal(err.kind, ERR_EXISTS);
	}
	assert_int_equal(add(store, bob, &spec, value, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM tokens"), 1);
}

static void a_name_is_given_once_for_each_user(void **state)
{
	struct store *store = scratch_of(state)->store;
	int64_t ada = people_add_user(store, "ada", false);
	int64_t bob = people_add_user(store, "bob", false);
	const struct token_spec named = {.name = "ci", .role = AUTH_WRITE};
	const struct token_spec unnamed = {.role = AUTH_WRITE};
	char value[TOKEN_ROOM];
	struct err err = ERR_INIT;

	assert_int_equal(add(store, ada, &named, value, &err), 1);
	assert_int_equal(add(store, bob, &named, value, &err), 1);
	assert_int_equal(add(store, ada, &named, value, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_int_equal(add(store, ada, &unnamed, value, &err), 1);
	assert_int_equal(add(store, ada, &unnamed, value, &err), 1);
}

static void bad_specs_are_refused(void **state)
{
	struct store *store = scratch_of(state)->store;
	int64_t ada = people_add_user(store, "ada", false);
	static const char *const scope[] = {"repo.write:ada/demo", NULL};
	static const char *const scope_bare[] = {"ada/demo", NULL};
	const struct token_spec bad[] = {
		{"secret", NULL, AUTH_WRITE, NULL},
		{NULL, "a]b", AUTH_WRITE, NULL},
		{NULL, "", AUTH_WRITE, NULL},
		{NULL, "a\nb", AUTH_WRITE, NULL},
		{NULL, "\xc3\xa9", AUTH_WRITE, NULL},
		{NULL, NULL, AUTH_WRITE, scope},
		{NULL, NULL, AUTH_FINE_GRAINED, scope_bare},
	};
	char value[TOKEN_ROOM];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(add(store, ada, &bad[i], value, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM tokens"), 0);
}

static void scopes_come_with_the_actor(void **state)
{
	struct store *store = scratch_of(state)->store;
	int64_t ada = people_add_user(store, "ada", false);
	static char names[SCOPE_MAX][32];
	static const char *scopes[SCOPE_MAX + 1];
	char value[TOKEN_ROOM];
	struct actor actor;
	struct err err = ERR_INIT;

	for (int i = 0; i < SCOPE_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "repo.read:ada/r%02d", i);
		scopes[i] = names[i];
	}
	const struct token_spec spec = {NULL, NULL, AUTH_FINE_GRAINED, scopes};
	assert_int_equal(add(store, ada, &spec, value, &err), 1);
	assert_ok(find_actor(store, value, &actor, &err));
	assert_int_equal(actor.role, AUTH_FINE_GRAINED);
	assert_int_equal(actor.scopes.count, SCOPE_MAX);
	assert_string_equal(actor.scopes.items[0].name, "ada/r00");
	assert_string_equal(actor.scopes.items[SCOPE_MAX - 1].name, "ada/r63");
}

static void roles_are_named_as_on_the_wire(void **state)
{
	enum auth_role role;
	struct err err = ERR_INIT;

	assert_string_equal(token_role_name(AUTH_FINE_GRAINED), "fineGrained");
	for (enum auth_role r = AUTH_READ; r <= AUTH_FINE_GRAINED; r++) {
		assert_ok(token_role_parse(token_role_name(r), &role, &err));
		assert_int_equal(role, r);
	}
	assert_ok(token_role_parse("fine-grained", &role, &err));
	assert_int_equal(role, AUTH_FINE_GRAINED);
	assert_int_equal(token_role_parse("admin", &role, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(minted_tokens_are_hf_and_34_letters_and_digits),
		cmocka_unit_test(values_have_a_form),
		TEST(a_token_leads_to_its_owner),
		TEST(what_is_no_token_of_ours_is_refused),
		TEST(the_value_is_nowhere_in_the_store),
		TEST(a_revoked_token_is_none),
		TEST(importing_again_needs_the_same_data),
		TEST(a_name_is_given_once_for_each_user),
		TEST(bad_specs_are_refused),
		TEST(scopes_come_with_the_actor),
		cmocka_unit_test(roles_are_named_as_on_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
