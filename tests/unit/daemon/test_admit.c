#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/account.h"
#include "auth/token.h"
#include "base/mem.h"
#include "daemon/admit.h"
#include "space/space.h"
#include "world.h"

enum { NOW_S = 1000000 };

static void add_user(struct store_db *db, const char *name, const char *token, const char *scope)
{
	const char *const scopes[] = {scope, NULL};
	struct account account = {.type = ACCOUNT_USER};
	struct token_spec spec = {
		.value = token, .role = scope ? AUTH_FINE_GRAINED : AUTH_READ, .scopes = scopes};
	char value[TOKEN_ROOM];
	struct err err = ERR_INIT;

	snprintf(account.name, sizeof(account.name), "%s", name);
	world_ok(account_add(db, &account, &err), &err);
	assert_int_equal(account_find(db, name, &account, &err), 1);
	world_ok(token_add(db, account.id, &spec, value, &err), &err);
}

static void add_org(struct store_db *db, const char *member)
{
	struct account org = {.type = ACCOUNT_ORG, .name = "acme"};
	struct account user;
	struct err err = ERR_INIT;

	world_ok(account_add(db, &org, &err), &err);
	assert_int_equal(account_find(db, "acme", &org, &err), 1);
	assert_int_equal(account_find(db, member, &user, &err), 1);
	world_ok(account_set_member(db, org.id, user.id, ACCOUNT_MEMBER_READ, &err), &err);
}

static void add_space(struct store_db *db, const char *name, bool is_private, bool is_protected)
{
	const struct space_setup setup = {.sdk = "gradio"};
	struct repo repo = {.type = REPO_SPACE,
			    .is_private = is_private,
			    .is_protected = is_protected,
			    .owner = "acme",
			    .sdk = "gradio"};
	struct account org;
	struct err err = ERR_INIT;

	assert_int_equal(account_find(db, "acme", &org, &err), 1);
	repo.owner_id = repo.creator_id = org.id;
	snprintf(repo.name, sizeof(repo.name), "%s", name);
	world_ok(repo_add(db, &repo, &err), &err);
	world_ok(space_add(db, &repo, &setup, &err), &err);
}

static int setup(void **state)
{
	struct world *world = world_new();
	struct store_tx *tx = world_begin(world);
	struct store_db *db = store_tx_db(tx);

	add_user(db, "reader", "hf_reader", NULL);
	add_user(db, "stranger", "hf_stranger", NULL);
	add_user(db, "elsewhere", "hf_elsewhere", "repo.read:acme/public");
	add_user(db, "scoped", "hf_scoped", "repo.read:acme/private");
	add_org(db, "reader");
	add_space(db, "private", true, false);
	add_space(db, "protected", true, true);
	add_space(db, "public", false, false);
	world_commit(tx);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static struct admit_answer look_at(struct world *world, const struct admit_visitor *visitor)
{
	owned(secret_free) struct secret *key = vault_derive(world->vault, PASS_KEY);
	struct admit_answer answer = {0};
	struct store_read *read = NULL;
	struct err err = ERR_INIT;

	world_ok(store_read_begin(world->store, &read, &err), &err);
	world_ok(admit_visitor(store_read_db(read), visitor, key, &answer, &err), &err);
	store_read_end(read);
	return answer;
}

static struct admit_answer look(struct world *world, const char *slug, const char *token,
				const char *hub_token)
{
	return look_at(world, &(struct admit_visitor){.slug = slug,
						      .token = token,
						      .hub_token = hub_token,
						      .passes = "",
						      .uri = "/",
						      .now_s = NOW_S});
}

/* Whose pass, and to where, as the API makes them. */
static struct pass pass_of(struct world *world, const char *token, const char *slug)
{
	struct store_read *read = NULL;
	struct actor actor = {0};
	struct space space = {0};
	struct err err = ERR_INIT;

	world_ok(store_read_begin(world->store, &read, &err), &err);
	world_ok(auth_actor(store_read_db(read), token, &actor, &err), &err);
	assert_int_equal(space_by_slug(store_read_db(read), slug, &space, &err), 1);
	store_read_end(read);
	return (struct pass){
		.repo_id = space.repo_id, .user_id = actor.user_id, .token_id = actor.token_id};
}

/* A visit with a pass as cookie, among others, or as link. */
static struct admit_answer look_with(struct world *world, const struct pass *pass,
				     enum pass_kind kind, int64_t now_s)
{
	owned(secret_free) struct secret *key = vault_derive(world->vault, PASS_KEY);
	owned(free) char *passes = NULL;
	owned(free) char *uri = NULL;
	char text[PASS_ROOM];

	pass_write(pass, kind, NOW_S, key, text);
	passes = mem_format("junk %s", text);
	uri = mem_format("/a?b=c&__sign=%s", text);
	return look_at(world, &(struct admit_visitor){.slug = "acme-private",
						      .token = "",
						      .hub_token = "",
						      .passes = kind == PASS_COOKIE ? passes : "",
						      .uri = kind == PASS_LINK ? uri : "/",
						      .now_s = now_s});
}

static void assert_admit(struct admit_answer answer, enum admit admit, bool drops)
{
	assert_int_equal(answer.admit, admit);
	assert_int_equal(answer.drops, drops);
}

static void make_member(struct world *world, const char *name, enum account_member member)
{
	struct store_tx *tx = world_begin(world);
	struct account org, user;
	struct err err = ERR_INIT;

	assert_int_equal(account_find(store_tx_db(tx), "acme", &org, &err), 1);
	assert_int_equal(account_find(store_tx_db(tx), name, &user, &err), 1);
	world_ok(account_set_member(store_tx_db(tx), org.id, user.id, member, &err), &err);
	world_commit(tx);
}

static void a_public_or_protected_app_is_for_all_and_takes_no_token(void **state)
{
	struct world *world = *state;

	assert_admit(look(world, "acme-public", "", ""), ADMIT_PUBLIC, false);
	assert_admit(look(world, "acme-protected", "", ""), ADMIT_PUBLIC, false);
	/* What is sent there is the app's own. */
	assert_admit(look(world, "acme-public", "hf_reader", ""), ADMIT_PUBLIC, false);
}

static void a_private_one_is_for_readers_by_either_header(void **state)
{
	struct world *world = *state;

	assert_admit(look(world, "acme-private", "hf_reader", ""), ADMIT_VISITOR, true);
	assert_admit(look(world, "acme-private", "", "hf_reader"), ADMIT_VISITOR, false);
	/* An app's own token beside the hub's reaches the app; a second one of the hub does not. */
	assert_admit(look(world, "acme-private", "of_the_app", "hf_reader"), ADMIT_VISITOR, false);
	assert_admit(look(world, "acme-private", "hf_stranger", "hf_reader"), ADMIT_VISITOR, true);
}

static void strangers_see_no_difference_from_a_name_that_nobody_has(void **state)
{
	static const char *const slugs[] = {"acme-private", "nobody", "", "acme-private-"};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(slugs) / sizeof(slugs[0]); i++) {
		assert_admit(look(world, slugs[i], "", ""), ADMIT_SIGN_IN, false);
		assert_admit(look(world, slugs[i], "hf_nosuch", ""), ADMIT_SIGN_IN, false);
		assert_admit(look(world, slugs[i], "", "no token"), ADMIT_SIGN_IN, false);
		assert_admit(look(world, slugs[i], "hf_stranger", ""), ADMIT_NOTHING, true);
		assert_admit(look(world, slugs[i], "", "hf_elsewhere"), ADMIT_NOTHING, false);
	}
}

static void a_right_that_ends_is_gone_at_the_next_look(void **state)
{
	struct world *world = *state;

	make_member(world, "scoped", ACCOUNT_MEMBER_READ);
	assert_admit(look(world, "acme-private", "hf_scoped", ""), ADMIT_VISITOR, true);
	make_member(world, "scoped", ACCOUNT_MEMBER_NONE);
	assert_admit(look(world, "acme-private", "hf_scoped", ""), ADMIT_NOTHING, true);
}

static void a_scope_reaches_as_far_as_it_says(void **state)
{
	struct world *world = *state;

	make_member(world, "elsewhere", ACCOUNT_MEMBER_WRITE);
	assert_admit(look(world, "acme-private", "hf_elsewhere", ""), ADMIT_NOTHING, true);
}

static void a_cookie_admits_until_it_ends(void **state)
{
	struct world *world = *state;
	const struct pass pass = pass_of(world, "hf_reader", "acme-private");
	int64_t end_s = NOW_S + PASS_COOKIE_S;

	assert_admit(look_with(world, &pass, PASS_COOKIE, end_s - 1), ADMIT_VISITOR, false);
	assert_admit(look_with(world, &pass, PASS_COOKIE, end_s), ADMIT_SIGN_IN, false);
	make_member(world, "reader", ACCOUNT_MEMBER_NONE);
	assert_admit(look_with(world, &pass, PASS_COOKIE, NOW_S), ADMIT_NOTHING, false);
}

static void a_pass_is_for_its_space_and_ends_with_its_token(void **state)
{
	struct world *world = *state;
	struct pass pass = pass_of(world, "hf_reader", "acme-public");
	struct store_tx *tx;
	struct err err = ERR_INIT;

	assert_admit(look_with(world, &pass, PASS_COOKIE, NOW_S), ADMIT_SIGN_IN, false);
	assert_admit(look_with(world, &pass, PASS_LINK, NOW_S), ADMIT_SIGN_IN, false);
	pass = pass_of(world, "hf_reader", "acme-private");
	tx = world_begin(world);
	world_ok(token_revoke(store_tx_db(tx), pass.token_id, &err), &err);
	world_commit(tx);
	assert_admit(look_with(world, &pass, PASS_COOKIE, NOW_S), ADMIT_SIGN_IN, false);
	assert_admit(look_with(world, &pass, PASS_LINK, NOW_S), ADMIT_SIGN_IN, false);
}

static int exchange(struct world *world, const struct admit_answer *answer)
{
	owned(secret_free) struct secret *key = vault_derive(world->vault, PASS_KEY);
	struct store_tx *tx = world_begin(world);
	char cookie[PASS_ROOM];
	struct err err = ERR_INIT;
	int done = admit_exchange(store_tx_db(tx), answer, "127.0.0.1", key, cookie, &err);

	world_ok(done, &err);
	world_commit(tx);
	return done;
}

/* Their link is not used up, nor does it hide that they are in. */
static void who_is_in_needs_no_link(void **state)
{
	struct world *world = *state;
	owned(secret_free) struct secret *key = vault_derive(world->vault, PASS_KEY);
	const struct pass pass = pass_of(world, "hf_reader", "acme-private");
	owned(free) char *uri = NULL;
	struct admit_answer answer;
	char link[PASS_ROOM];

	pass_write(&pass, PASS_LINK, NOW_S, key, link);
	uri = mem_format("/?__sign=%s", link);
	answer = look_at(world, &(struct admit_visitor){.slug = "acme-private",
							.token = "hf_reader",
							.hub_token = "",
							.passes = "",
							.uri = uri,
							.now_s = NOW_S});
	assert_admit(answer, ADMIT_VISITOR, true);
	assert_true(answer.signs);
}

static void a_link_is_exchanged_once(void **state)
{
	struct world *world = *state;
	const struct pass pass = pass_of(world, "hf_reader", "acme-private");
	struct admit_answer answer = look_with(world, &pass, PASS_LINK, NOW_S + PASS_LINK_S - 1);

	assert_admit(answer, ADMIT_LINK, false);
	assert_string_equal(answer.actor.name, "reader");
	answer.link.expires_s = INT64_MAX; /* the exchange looks at the clock of today */
	assert_int_equal(exchange(world, &answer), 1);
	assert_int_equal(exchange(world, &answer), 0);
	answer = look_with(world, &pass, PASS_LINK, NOW_S + PASS_LINK_S);
	assert_admit(answer, ADMIT_SIGN_IN, false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_public_or_protected_app_is_for_all_and_takes_no_token),
		TEST(a_private_one_is_for_readers_by_either_header),
		TEST(strangers_see_no_difference_from_a_name_that_nobody_has),
		TEST(a_right_that_ends_is_gone_at_the_next_look),
		TEST(a_scope_reaches_as_far_as_it_says),
		TEST(a_cookie_admits_until_it_ends),
		TEST(a_pass_is_for_its_space_and_ends_with_its_token),
		TEST(who_is_in_needs_no_link),
		TEST(a_link_is_exchanged_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
