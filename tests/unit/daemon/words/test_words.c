#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/token.h"
#include "daemon/words/words.h"

enum { OUT_ROOM = 256, WORDS_MAX = 16 };

/* Run a word as from the command line; the texts end in NULL. */
static int find_actor(struct store *store, const char *token, struct actor *out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(store, &read, err) < 0)
		return -1;
	return auth_actor(store_read_db(read), token, out, err);
}

static int run(int (*word)(struct store *store, int argc, char **argv, FILE *out, struct err *err),
	       struct store *store, const char *const *texts, char out[static OUT_ROOM],
	       struct err *err)
{
	char *argv[WORDS_MAX];
	int argc = 0;

	memset(out, 0, OUT_ROOM);
	*err = ERR_INIT;
	FILE *file = fmemopen(out, OUT_ROOM - 1, "w");
	assert_non_null(file);
	while (texts[argc]) {
		argv[argc] = strdup(texts[argc]);
		argc++;
	}
	int result = word(store, argc, argv, file, err);
	fclose(file);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return result;
}

#define RUN(word, ...) run(words_##word, store, (const char *const[]){__VA_ARGS__, NULL}, out, &err)

#define assert_refused(wanted, call)                  \
	do {                                          \
		assert_int_equal((call), -1);         \
		assert_int_equal(err.kind, (wanted)); \
		assert_string_equal(out, "");         \
	} while (0)

static void a_user_is_added_once(void **state)
{
	struct store *store = scratch_of(state)->store;
	char out[OUT_ROOM];
	struct err err;

	assert_ok(RUN(user, "add", "me", "--fullname", "Me Myself", "--email=me@example.org",
		      "--admin"));
	assert_string_equal(out, "user me added\n");
	assert_ok(RUN(user, "add", "--admin", "--email", "me@example.org", "--fullname=Me Myself",
		      "me"));
	assert_string_equal(out, "user me is there already\n");
	assert_refused(ERR_EXISTS, RUN(user, "add", "me"));
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM accounts WHERE name = 'me' AND "
					    "fullname = 'Me Myself' AND admin = 1 AND "
					    "email = 'me@example.org'"),
			 1);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit WHERE action = 'user.add' "
					    "AND target = 'me' AND actor_id = 0"),
			 1);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit"), 1);
}

static void wrong_use_is_refused_and_changes_nothing(void **state)
{
	struct store *store = scratch_of(state)->store;
	static char long_name[200];
	char out[OUT_ROOM];
	struct err err;

	memset(long_name, 'a', sizeof(long_name) - 1);
	assert_refused(ERR_INVALID, RUN(user, "remove", "me"));
	assert_refused(ERR_INVALID, run(words_user, store, (const char *[]){NULL}, out, &err));
	assert_refused(ERR_INVALID, RUN(user, "add"));
	assert_refused(ERR_INVALID, RUN(user, "add", "me", "you"));
	assert_refused(ERR_INVALID, RUN(user, "add", "me", "--wheel"));
	assert_refused(ERR_INVALID, RUN(user, "add", "me", "--email"));
	assert_refused(ERR_INVALID, RUN(user, "add", "me", "--admin=yes"));
	assert_refused(ERR_INVALID, RUN(user, "add", "me", "--email=a@b", "--email=c@d"));
	assert_refused(ERR_INVALID, RUN(user, "add", "../me"));
	assert_refused(ERR_INVALID, RUN(user, "add", long_name));
	assert_refused(ERR_INVALID, RUN(user, "add", "--", "--admin"));
	assert_refused(ERR_INVALID, RUN(org, "add", "acme", "--admin"));
	assert_refused(ERR_INVALID, RUN(token, "remove", "me"));
	assert_refused(ERR_INVALID, RUN(token, "revoke", "me"));
	assert_non_null(strstr(err.text, "token revoke USER NAME"));
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM accounts"), 0);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit"), 0);
}

static void an_organisation_comes_with_its_members(void **state)
{
	struct store *store = scratch_of(state)->store;
	char out[OUT_ROOM];
	struct err err;

	assert_ok(RUN(user, "add", "ada"));
	assert_ok(RUN(user, "add", "bob"));
	assert_ok(RUN(user, "add", "eve"));
	assert_ok(RUN(org, "add", "acme", "--private-by-default", "--member", "ada:admin",
		      "--member=bob:contributor"));
	assert_string_equal(out, "organisation acme added\n");
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM members m "
					    "JOIN accounts a ON a.id = m.user_id "
					    "WHERE (a.name, m.role) IN (VALUES ('ada', 'admin'), "
					    "('bob', 'contributor'))"),
			 2);
	assert_ok(RUN(org, "add", "acme", "--member", "ada:admin", "--private-by-default"));
	assert_string_equal(out, "organisation acme is there already\n");
	assert_refused(ERR_EXISTS, RUN(org, "add", "acme"));
	assert_refused(ERR_EXISTS,
		       RUN(org, "add", "acme", "--private-by-default", "--member", "ada:read"));
	assert_refused(ERR_EXISTS,
		       RUN(org, "add", "acme", "--private-by-default", "--member", "eve:read"));
	assert_refused(ERR_EXISTS, RUN(org, "add", "ada"));
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM members"), 2);
}

static void a_bad_member_makes_no_organisation(void **state)
{
	struct store *store = scratch_of(state)->store;
	char out[OUT_ROOM];
	struct err err;

	assert_ok(RUN(user, "add", "ada"));
	assert_ok(RUN(org, "add", "other"));
	assert_refused(ERR_NOT_FOUND, RUN(org, "add", "acme", "--member", "bob:read"));
	assert_refused(ERR_NOT_FOUND, RUN(org, "add", "acme", "--member", "other:read"));
	assert_refused(ERR_INVALID, RUN(org, "add", "acme", "--member", "ada"));
	assert_refused(ERR_INVALID, RUN(org, "add", "acme", "--member", "ada:king"));
	assert_refused(ERR_EXISTS,
		       RUN(org, "add", "acme", "--member", "ada:read", "--member", "ada:admin"));
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM accounts"), 2);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM members"), 0);
}

static void the_role_of_a_member_is_changed(void **state)
{
	static const char *const roles[] = {"read", "admin", "admin", "none", "none", "write"};
	struct store *store = scratch_of(state)->store;
	char out[OUT_ROOM];
	struct err err;

	assert_ok(RUN(user, "add", "ada"));
	assert_ok(RUN(org, "add", "acme"));
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		bool again = i > 0 && strcmp(roles[i], roles[i - 1]) == 0;
		char member[32];
		char expected[64];

		snprintf(member, sizeof(member), "ada:%s", roles[i]);
		snprintf(expected, sizeof(expected), "member %s of acme %s\n", member,
			 again ? "is so already" : "set");
		assert_ok(RUN(org, "member", "acme", member));
		assert_string_equal(out, expected);
	}
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM members WHERE role = 'write'"),
			 1);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit WHERE "
					    "action = 'org.member' AND target = 'acme'"),
			 4);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit WHERE detail IN "
					    "('ada:none -> read', 'ada:read -> admin', "
					    "'ada:admin -> none', 'ada:none -> write')"),
			 4);
	assert_refused(ERR_NOT_FOUND, RUN(org, "member", "other", "ada:read"));
	assert_refused(ERR_NOT_FOUND, RUN(org, "member", "ada", "ada:read"));
	assert_refused(ERR_NOT_FOUND, RUN(org, "member", "acme", "bob:read"));
	assert_refused(ERR_NOT_FOUND, RUN(org, "member", "acme", "bob:none"));
	assert_refused(ERR_NOT_FOUND, RUN(org, "member", "acme", ":none"));
	assert_refused(ERR_INVALID, RUN(org, "member", "acme", "ada:king"));
	assert_refused(ERR_INVALID, RUN(org, "member", "acme", "ada"));
	assert_refused(ERR_INVALID, RUN(org, "member", "acme"));
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM members WHERE role = 'write'"),
			 1);
}

static void a_token_is_printed_alone_and_works(void **state)
{
	struct store *store = scratch_of(state)->store;
	char out[OUT_ROOM];
	struct actor actor;
	struct err err;

	assert_ok(RUN(user, "add", "me"));
	assert_ok(RUN(token, "add", "me"));
	assert_int_equal(strlen(out), 38);
	assert_int_equal(out[37], '\n');
	out[37] = '\0';
	assert_ok(find_actor(store, out, &actor, &err));
	assert_string_equal(actor.name, "me");
	assert_int_equal(actor.role, AUTH_WRITE);
	assert_int_equal(scratch_ask(store,
				     "SELECT count(*) FROM audit WHERE "
				     "action = 'token.add' AND detail GLOB 'token-?????? write'"),
			 1);
	assert_refused(ERR_NOT_FOUND, RUN(token, "add", "you"));
	assert_refused(ERR_INVALID, RUN(token, "add", "me", "--role", "king"));
	assert_refused(ERR_INVALID, RUN(token, "add", "me", "--value", "secret"));
}

static void an_imported_token_may_be_given_again(void **state)
{
	struct store *store = scratch_of(state)->store;
	char out[OUT_ROOM];
	struct err err;

	assert_ok(RUN(user, "add", "me"));
	for (int i = 0; i < 2; i++) {
		assert_ok(RUN(token, "add", "me", "--value", "hf_mine", "--role", "read", "--name",
			      "ci"));
		assert_string_equal(out, "hf_mine\n");
	}
	assert_refused(ERR_EXISTS, RUN(token, "add", "me", "--value", "hf_mine", "--name", "ci"));
	assert_refused(ERR_EXISTS, RUN(token, "add", "me", "--name", "ci"));
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM tokens"), 1);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit WHERE "
					    "action = 'token.add'"),
			 1);
}

static void scopes_make_a_token_fine_grained(void **state)
{
	struct store *store = scratch_of(state)->store;
	char out[OUT_ROOM];
	struct actor actor;
	struct err err;

	assert_ok(RUN(user, "add", "me"));
	assert_ok(RUN(token, "add", "me", "--value", "hf_fine", "--scope", "repo.write:me/demo",
		      "--scope=repo.read:acme"));
	assert_ok(find_actor(store, "hf_fine", &actor, &err));
	assert_int_equal(actor.role, AUTH_FINE_GRAINED);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit WHERE "
					    "action = 'token.add' AND detail GLOB 'token-?????? "
					    "fineGrained repo.write:me/demo repo.read:acme'"),
			 1);
	assert_int_equal(scope_reach(&actor.scopes, "acme/app"), SCOPE_READ);
	assert_int_equal(scope_reach(&actor.scopes, "me/demo"), SCOPE_WRITE);
	assert_int_equal(scope_reach(&actor.scopes, "me"), SCOPE_NONE);
	assert_refused(ERR_INVALID, RUN(token, "add", "me", "--scope", "me/demo"));
	assert_refused(ERR_INVALID, RUN(token, "add", "me", "--scope", "repo.delete:demo"));
	assert_refused(ERR_INVALID,
		       RUN(token, "add", "me", "--role=write", "--scope=repo.write:me/demo"));
}

static void a_token_is_revoked_by_its_name(void **state)
{
	struct store *store = scratch_of(state)->store;
	char out[OUT_ROOM];
	struct actor actor;
	struct err err;

	assert_ok(RUN(user, "add", "me"));
	assert_ok(RUN(token, "add", "me", "--name", "ci", "--value", "hf_gone"));
	assert_refused(ERR_NOT_FOUND, RUN(token, "revoke", "me", "cd"));
	assert_refused(ERR_NOT_FOUND, RUN(token, "revoke", "you", "ci"));
	assert_ok(RUN(token, "revoke", "me", "ci"));
	assert_int_equal(find_actor(store, "hf_gone", &actor, &err), -1);
	assert_int_equal(err.kind, ERR_BAD_TOKEN);
	assert_refused(ERR_NOT_FOUND, RUN(token, "revoke", "me", "ci"));
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit WHERE "
					    "action = 'token.revoke' AND detail = 'ci'"),
			 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_user_is_added_once),
		TEST(wrong_use_is_refused_and_changes_nothing),
		TEST(an_organisation_comes_with_its_members),
		TEST(a_bad_member_makes_no_organisation),
		TEST(the_role_of_a_member_is_changed),
		TEST(a_token_is_printed_alone_and_works),
		TEST(an_imported_token_may_be_given_again),
		TEST(scopes_make_a_token_fine_grained),
		TEST(a_token_is_revoked_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
