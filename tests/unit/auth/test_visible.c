#include "scratch.h"

#include <stdio.h>
#include <string.h>

#include "auth/account.h"
#include "auth/auth.h"
#include "auth/token.h"
#include "auth/visible.h"
#include "people.h"

/*
 * A town with a public (N-open) and a private (N-shut) repository in each namespace N. repo/ is a
 * room above auth/, so its rows are written here by hand.
 */
static int find_actor(struct store *store, const char *token, struct actor *out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(store, &read, err) < 0)
		return -1;
	return auth_actor(store_read_db(read), token, out, err);
}

static void add_repo(struct store *store, int64_t owner, const char *name, int is_private)
{
	char sql[512];

	snprintf(
		sql, sizeof(sql),
		"INSERT INTO repos (hex, type, owner_id, name, is_private, creator_id, created_ms, "
		"modified_ms) VALUES ('%s', 'model', %lld, '%s', %d, %lld, 0, 0)",
		name, (long long)owner, name, is_private, (long long)owner);
	scratch_write(store, sql);
}

static int64_t add_namespace(struct store *store, const char *name, bool org)
{
	int64_t id = org ? people_add_org(store, name) : people_add_user(store, name, false);
	char repo[64];

	snprintf(repo, sizeof(repo), "%s-open", name);
	add_repo(store, id, repo, 0);
	snprintf(repo, sizeof(repo), "%s-shut", name);
	add_repo(store, id, repo, 1);
	return id;
}

static void build_town(struct store *store)
{
	struct err err = ERR_INIT;
	struct store_tx *tx = NULL;
	int64_t ada = add_namespace(store, "ada", false);
	int64_t org = add_namespace(store, "acme", true);

	add_namespace(store, "bob", false);
	add_namespace(store, "zoo", true);
	people_add_user(store, "root", true);
	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(account_set_member(store_tx_db(tx), org, ada, ACCOUNT_MEMBER_READ, &err));
	assert_ok(store_tx_commit(tx, &err));
}

static struct actor make_actor(struct store *store, const char *name, enum auth_role role,
			       const char *const *scopes)
{
	const struct token_spec spec = {.role = role, .scopes = scopes};
	struct actor actor = {0};
	struct account user;
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;
	char value[TOKEN_ROOM];

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_int_equal(account_find(store_tx_db(tx), name, &user, &err), 1);
	assert_int_equal(token_add(store_tx_db(tx), user.id, &spec, value, &err), 1);
	assert_ok(store_tx_commit(tx, &err));
	assert_ok(find_actor(store, value, &actor, &err));
	return actor;
}

static bool in_set(const struct visible_owners *owners, int64_t owner_id)
{
	bool found = owners->all;

	for (size_t i = 0; i < owners->count; i++)
		found = found || owners->ids[i] == owner_id;
	return found;
}

/* The set must say of each private repository what the condition says. */
static void expect_same_by_owner(struct store *store, const struct actor *actor)
{
	owned(visible_owners_done) struct visible_owners owners = {0};
	owned(store_read_end) struct store_read *read = NULL;
	owned(store_query_end) struct store_query *q = NULL;
	struct store_condition visible;
	struct err err = ERR_INIT;
	char sql[1024];
	int row;

	visible_to(actor, &visible);
	snprintf(sql, sizeof(sql),
		 "SELECT r.owner_id, a.name || '/' || r.name, %s FROM repos r"
		 " JOIN accounts a ON a.id = r.owner_id WHERE r.is_private = 1",
		 visible.sql);
	assert_ok(store_read_begin(store, &read, &err));
	assert_ok(visible_owners(store_read_db(read), actor, &owners, &err));
	q = store_query(store_read_db(read), sql);
	store_bind_condition(q, &visible);
	while ((row = store_step(q, &err)) > 0) {
		bool scoped = actor->role == AUTH_FINE_GRAINED;
		bool seen =
			in_set(&owners, store_int(q, 0)) &&
			(!scoped || scope_reach(&actor->scopes, store_text(q, 1)) != SCOPE_NONE);

		assert_int_equal(seen, store_int(q, 2));
	}
	assert_int_equal(row, 0);
}

/* Names of private repositories that the actor sees; the four public ones must always be there. */
static void expect(struct store *store, const struct actor *actor, const char *shut)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(store_query_end) struct store_query *q = NULL;
	struct store_condition visible;
	struct err err = ERR_INIT;
	char sql[1024];
	char seen[256] = "";
	int open = 0;
	int row;

	visible_to(actor, &visible);
	snprintf(sql, sizeof(sql), "SELECT r.name FROM repos r WHERE %s ORDER BY r.name",
		 visible.sql);
	assert_ok(store_read_begin(store, &read, &err));
	q = store_query(store_read_db(read), sql);
	store_bind_condition(q, &visible);
	while ((row = store_step(q, &err)) > 0) {
		const char *name = store_text(q, 0);
		size_t length = strlen(seen);

		if (strstr(name, "-open"))
			open++;
		else
			snprintf(seen + length, sizeof(seen) - length, "%s ", name);
	}
	assert_int_equal(row, 0);
	assert_int_equal(open, 4);
	assert_string_equal(seen, shut);
	expect_same_by_owner(store, actor);
}

static void people_see_what_is_public_theirs_or_of_their_organisations(void **state)
{
	struct store *store = scratch_of(state)->store;
	const struct actor nobody = {0};
	struct actor actor;

	build_town(store);
	expect(store, &nobody, "");
	actor = make_actor(store, "ada", AUTH_WRITE, NULL);
	expect(store, &actor, "acme-shut ada-shut ");
	actor = make_actor(store, "ada", AUTH_READ, NULL);
	expect(store, &actor, "acme-shut ada-shut ");
	actor = make_actor(store, "bob", AUTH_WRITE, NULL);
	expect(store, &actor, "bob-shut ");
	actor = make_actor(store, "root", AUTH_READ, NULL);
	expect(store, &actor, "acme-shut ada-shut bob-shut zoo-shut ");
}

static void a_fine_grained_token_sees_its_scopes_as_far_as_its_owner_does(void **state)
{
	struct store *store = scratch_of(state)->store;
	static const char *const shut[] = {"repo.read:ACME/acme-shut", "repo.write:bob/bob-shut",
					   NULL};
	static const char *const all[] = {"repo.read:acme", "repo.write:Ada", "repo.read:ado",
					  NULL};
	struct actor actor;

	build_town(store);
	actor = make_actor(store, "ada", AUTH_FINE_GRAINED, NULL);
	expect(store, &actor, "");
	actor = make_actor(store, "ada", AUTH_FINE_GRAINED, shut);
	expect(store, &actor, "acme-shut ");
	actor = make_actor(store, "ada", AUTH_FINE_GRAINED, all);
	expect(store, &actor, "acme-shut ada-shut ");
	actor = make_actor(store, "bob", AUTH_FINE_GRAINED, all);
	expect(store, &actor, "");
	actor = make_actor(store, "root", AUTH_FINE_GRAINED, shut);
	expect(store, &actor, "acme-shut bob-shut ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(people_see_what_is_public_theirs_or_of_their_organisations),
		TEST(a_fine_grained_token_sees_its_scopes_as_far_as_its_owner_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
