#include "scratch.h"

#include <stdio.h>
#include <string.h>

#include "auth/account.h"
#include "auth/auth.h"
#include "people.h"

/*
 * Every kind of person, with every kind of token, against every right: the table is the rule book.
 *
 * An answer is one letter: + yes, d denied, a sign in first, n there is no such repository.
 * The first two texts are reading, writing, managing, of a public and of a private repository; the
 * third is creating in its namespace, being signed in, being administrator of the hub.
 */
enum person { NOBODY, STRANGER, READER, CONTRIBUTOR, CREATOR, WRITER, ADMIN, OWNER, HUB_ADMIN };

/*
 * Fine-grained ones: for the repository, to write or to read; for its namespace, to write or to
 * read; for something else.
 */
enum token {
	TOKEN_WRITE,
	TOKEN_READ,
	TOKEN_WRITES_IT,
	TOKEN_READS_IT,
	TOKEN_WRITES_ALL,
	TOKEN_READS_ALL,
	TOKEN_ELSEWHERE,
};

/* Whoever has all rights in the namespace, but for the last letter: administrators of the hub. */
#define ALL_RIGHTS(person, hub_admin)                            \
	{person, TOKEN_WRITE, "+++", "+++", "++" hub_admin},     \
		{person, TOKEN_READ, "+dd", "+dd", "d+d"},       \
		{person, TOKEN_WRITES_IT, "++d", "++d", "d+d"},  \
		{person, TOKEN_READS_IT, "+dd", "+dd", "d+d"},   \
		{person, TOKEN_WRITES_ALL, "+++", "+++", "++d"}, \
		{person, TOKEN_READS_ALL, "+dd", "+dd", "d+d"},  \
	{                                                        \
		person, TOKEN_ELSEWHERE, "+dd", "nnn", "d+d"     \
	}

/* Whoever has the same rights by every token that can see the repository. */
#define SAME_RIGHTS(person, public, private, beyond)                 \
	{person, TOKEN_WRITE, public, private, beyond},              \
		{person, TOKEN_READ, public, private, beyond},       \
		{person, TOKEN_WRITES_IT, public, private, beyond},  \
		{person, TOKEN_READS_IT, public, private, beyond},   \
		{person, TOKEN_WRITES_ALL, public, private, beyond}, \
		{person, TOKEN_READS_ALL, public, private, beyond},  \
	{                                                            \
		person, TOKEN_ELSEWHERE, public, "nnn", beyond       \
	}

static const struct rule {
	enum person person;
	enum token token;
	const char *public;
	const char *private;
	const char *beyond;
} rules[] = {
	SAME_RIGHTS(NOBODY, "+aa", "nnn", "aaa"),
	SAME_RIGHTS(STRANGER, "+dd", "nnn", "d+d"),
	SAME_RIGHTS(READER, "+dd", "+dd", "d+d"),

	/* Of a repository that somebody else has created. */
	{CONTRIBUTOR, TOKEN_WRITE, "+dd", "+dd", "++d"},
	{CONTRIBUTOR, TOKEN_READ, "+dd", "+dd", "d+d"},
	{CONTRIBUTOR, TOKEN_WRITES_IT, "+dd", "+dd", "d+d"},
	{CONTRIBUTOR, TOKEN_READS_IT, "+dd", "+dd", "d+d"},
	{CONTRIBUTOR, TOKEN_WRITES_ALL, "+dd", "+dd", "++d"},
	{CONTRIBUTOR, TOKEN_READS_ALL, "+dd", "+dd", "d+d"},
	{CONTRIBUTOR, TOKEN_ELSEWHERE, "+dd", "nnn", "d+d"},

	/* The same contributor, of what it has created. */
	ALL_RIGHTS(CREATOR, "d"),
	ALL_RIGHTS(WRITER, "d"),
	ALL_RIGHTS(ADMIN, "d"),
	/* A user, of a repository in its own namespace. */
	ALL_RIGHTS(OWNER, "d"),
	ALL_RIGHTS(HUB_ADMIN, "+"),
};

struct town {
	struct store *store;
	struct store_read *read;
	int64_t people[HUB_ADMIN + 1];
	int64_t org;
};

static void build_town(struct store *store, struct town *town)
{
	static const struct {
		enum person person;
		const char *name;
		enum account_member member;
	} folk[] = {
		{STRANGER, "stranger", ACCOUNT_MEMBER_NONE},
		{READER, "reader", ACCOUNT_MEMBER_READ},
		{CONTRIBUTOR, "contributor", ACCOUNT_MEMBER_CONTRIBUTOR},
		{CREATOR, "creator", ACCOUNT_MEMBER_CONTRIBUTOR},
		{WRITER, "writer", ACCOUNT_MEMBER_WRITE},
		{ADMIN, "admin", ACCOUNT_MEMBER_ADMIN},
		{OWNER, "owner", ACCOUNT_MEMBER_NONE},
		{HUB_ADMIN, "hub-admin", ACCOUNT_MEMBER_NONE},
	};
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	town->store = store;
	town->org = people_add_org(store, "acme");
	for (size_t i = 0; i < sizeof(folk) / sizeof(folk[0]); i++) {
		enum person person = folk[i].person;

		town->people[person] = people_add_user(store, folk[i].name, person == HUB_ADMIN);
		assert_ok(store_tx_begin(store, &tx, &err));
		assert_ok(account_set_member(store_tx_db(tx), town->org, town->people[person],
					     folk[i].member, &err));
		assert_ok(store_tx_commit(tx, &err));
	}
	assert_ok(store_read_begin(store, &town->read, &err));
}

/* The namespace of OWNER's repository has the name of the organisation: only one is asked. */
static struct actor make_actor(const struct town *town, const struct rule *rule)
{
	static const struct {
		enum auth_role role;
		const char *scope;
	} tokens[] = {
		[TOKEN_WRITE] = {AUTH_WRITE, NULL},
		[TOKEN_READ] = {AUTH_READ, NULL},
		[TOKEN_WRITES_IT] = {AUTH_FINE_GRAINED, "repo.write:ACME/Demo"},
		[TOKEN_READS_IT] = {AUTH_FINE_GRAINED, "repo.read:acme/demo"},
		[TOKEN_WRITES_ALL] = {AUTH_FINE_GRAINED, "repo.write:acme"},
		[TOKEN_READS_ALL] = {AUTH_FINE_GRAINED, "repo.read:Acme"},
		[TOKEN_ELSEWHERE] = {AUTH_FINE_GRAINED, "repo.write:acm"},
	};
	const char *const scopes[] = {"repo.write:acme/another", tokens[rule->token].scope, NULL};
	struct actor actor = {
		.user_id = town->people[rule->person],
		.admin = rule->person == HUB_ADMIN,
		.role = tokens[rule->token].role,
		.token_name = "t",
	};
	struct err err = ERR_INIT;

	if (actor.role == AUTH_FINE_GRAINED)
		assert_ok(scope_parse(scopes, &actor.scopes, &err));
	return actor;
}

static char answer(const struct town *town, const struct rule *rule, enum auth_right right,
		   bool is_private)
{
	struct actor actor = make_actor(town, rule);
	const struct auth_target target = {
		.owner_id = rule->person == OWNER ? town->people[OWNER] : town->org,
		.creator_id = town->people[rule->person == CREATOR ? CREATOR : WRITER],
		.full_name = right == AUTH_CREATE ? "acme" : "acme/demo",
		.is_private = is_private,
	};
	struct err err = ERR_INIT;

	if (auth_check(store_read_db(town->read), &actor, right, &target, &err) == 0)
		return '+';
	assert_true(err.text[0] != '\0');
	switch (err.kind) {
	case ERR_DENIED:
		return 'd';
	case ERR_ANONYMOUS:
		return 'a';
	case ERR_NO_REPO:
		return 'n';
	default:
		return '?';
	}
}

static void expect(const struct town *town, const struct rule *rule,
		   const enum auth_right rights[3], bool is_private, const char *expected)
{
	for (size_t i = 0; i < 3; i++) {
		char got = answer(town, rule, rights[i], is_private);

		if (got != expected[i])
			fail_msg("person %d, token %d, right %d, %s: %c, not %c", rule->person,
				 rule->token, rights[i], is_private ? "private" : "public", got,
				 expected[i]);
	}
}

static void the_table_of_rights_holds(void **state)
{
	static const enum auth_right repo[] = {AUTH_REPO_READ, AUTH_REPO_WRITE, AUTH_REPO_ADMIN};
	static const enum auth_right beyond[] = {AUTH_CREATE, AUTH_SIGNED_IN, AUTH_ADMIN};
	struct town town = {0};
	size_t count = sizeof(rules) / sizeof(rules[0]);

	build_town(scratch_of(state)->store, &town);
	for (size_t i = 0; i < count; i++) {
		expect(&town, &rules[i], repo, false, rules[i].public);
		expect(&town, &rules[i], repo, true, rules[i].private);
		expect(&town, &rules[i], beyond, false, rules[i].beyond);
		assert_int_equal(answer(&town, &rules[i], AUTH_ANYONE, true), '+');
	}
	store_read_end(town.read);
	/* Nobody was left out. */
	assert_int_equal(count, (HUB_ADMIN + 1) * (TOKEN_ELSEWHERE + 1));
}

static void an_unknown_creator_is_nobody(void **state)
{
	struct town town = {0};
	struct actor anonymous = {0};
	struct err err = ERR_INIT;

	build_town(scratch_of(state)->store, &town);
	struct actor contributor = {.user_id = town.people[CONTRIBUTOR], .role = AUTH_WRITE};
	const struct auth_target target = {.owner_id = town.org, .full_name = "acme/demo"};
	assert_int_equal(
		auth_check(store_read_db(town.read), &contributor, AUTH_REPO_WRITE, &target, &err),
		-1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_int_equal(
		auth_check(store_read_db(town.read), &anonymous, AUTH_REPO_WRITE, &target, &err),
		-1);
	assert_int_equal(err.kind, ERR_ANONYMOUS);
	store_read_end(town.read);
}

/* No right in a namespace that does not exist, and none where two are nobody's. */
static void a_missing_owner_gives_nothing(void **state)
{
	struct town town = {0};
	struct err err = ERR_INIT;

	build_town(scratch_of(state)->store, &town);
	struct actor admin = {.user_id = town.people[ADMIN], .role = AUTH_WRITE};
	struct actor anonymous = {0};
	const struct auth_target nowhere = {.owner_id = 9999, .full_name = "nowhere"};
	const struct auth_target zero = {.full_name = "a/b", .is_private = true};
	assert_int_equal(auth_check(store_read_db(town.read), &admin, AUTH_CREATE, &nowhere, &err),
			 -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_int_equal(
		auth_check(store_read_db(town.read), &anonymous, AUTH_REPO_READ, &zero, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REPO);
	store_read_end(town.read);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_table_of_rights_holds),
		TEST(an_unknown_creator_is_nobody),
		TEST(a_missing_owner_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
