#include "scratch.h"

#include <stdio.h>
#include <string.h>

#include "auth/account.h"
#include "base/hash.h"
#include "people.h"

static int try_add(struct store *store, const struct account *wanted, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;

	assert_int_equal(store_tx_begin(store, &tx, err), 0);
	int result = account_add(store_tx_db(tx), wanted, err);
	if (result >= 0)
		assert_int_equal(store_tx_commit(take(tx), err), 0);
	return result;
}

static void an_account_comes_back_as_it_was_added(void **state)
{
	struct store *store = scratch_of(state)->store;
	owned(store_read_end) struct store_read *read = NULL;
	const struct account wanted = {
		.type = ACCOUNT_USER,
		.name = "Ada",
		.fullname = "Ada Lovelace",
		.email = "ada@example.org",
		.admin = true,
	};
	struct account found;
	struct account same;
	struct err err = ERR_INIT;

	assert_int_equal(try_add(store, &wanted, &err), 1);
	assert_ok(store_read_begin(store, &read, &err));
	assert_int_equal(account_find(store_read_db(read), "aDA", &found, &err), 1);
	assert_string_equal(found.name, "Ada");
	assert_string_equal(found.fullname, "Ada Lovelace");
	assert_string_equal(found.email, "ada@example.org");
	assert_true(found.admin);
	assert_false(found.private_by_default);
	assert_int_equal(found.type, ACCOUNT_USER);
	assert_true(hex_is(found.hex, 24));
	assert_int_equal(account_by_id(store_read_db(read), found.id, &same, &err), 1);
	assert_string_equal(same.hex, found.hex);
	assert_int_equal(account_find(store_read_db(read), "bob", &found, &err), 0);
	assert_int_equal(account_by_id(store_read_db(read), 99, &found, &err), 0);
}

static void adding_twice_needs_the_same_data(void **state)
{
	struct store *store = scratch_of(state)->store;
	const struct account wanted = {.type = ACCOUNT_USER, .name = "ada", .fullname = "Ada"};
	struct err err = ERR_INIT;

	assert_int_equal(try_add(store, &wanted, &err), 1);
	assert_int_equal(try_add(store, &wanted, &err), 0);

	struct account other[6];
	for (size_t i = 0; i < 6; i++)
		other[i] = wanted;
	other[0].admin = true;
	other[1].type = ACCOUNT_ORG;
	snprintf(other[2].name, sizeof(other[2].name), "ADA");
	snprintf(other[3].fullname, sizeof(other[3].fullname), "Eve");
	snprintf(other[4].email, sizeof(other[4].email), "ada@example.org");
	other[5].private_by_default = true;
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(try_add(store, &other[i], &err), -1);
		assert_int_equal(err.kind, ERR_EXISTS);
	}
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM accounts"), 1);
}

static void bad_accounts_are_refused(void **state)
{
	struct store *store = scratch_of(state)->store;
	static const struct {
		const char *name, *fullname, *email;
	} bad[] = {
		{"", "", ""},
		{"a/b", "", ""},
		{"..", "", ""},
		{"-a", "", ""},
		{"a.git", "", ""},
		{"a b", "", ""},
		{"api", "", ""},
		{"Spaces", "", ""},
		{"static", "", ""},
		{"ada", "two\nlines", ""},
		{"ada", "", "nobody"},
		{"ada", "", "a b@example.org"},
		{"ada", "", "a@example.org\r"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct account wanted = {.type = ACCOUNT_USER};
		struct err err = ERR_INIT;

		snprintf(wanted.name, sizeof(wanted.name), "%s", bad[i].name);
		snprintf(wanted.fullname, sizeof(wanted.fullname), "%s", bad[i].fullname);
		snprintf(wanted.email, sizeof(wanted.email), "%s", bad[i].email);
		assert_int_equal(try_add(store, &wanted, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM accounts"), 0);
}

static int set_member(struct store *store, int64_t org, int64_t user, enum account_member member,
		      struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;

	assert_int_equal(store_tx_begin(store, &tx, err), 0);
	if (account_set_member(store_tx_db(tx), org, user, member, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

static enum account_member membership(struct store *store, int64_t org, int64_t user)
{
	owned(store_read_end) struct store_read *read = NULL;
	enum account_member member;
	struct err err = ERR_INIT;

	assert_ok(store_read_begin(store, &read, &err));
	assert_ok(account_membership(store_read_db(read), org, user, &member, &err));
	return member;
}

static void a_membership_is_set_changed_and_removed(void **state)
{
	struct store *store = scratch_of(state)->store;
	int64_t ada = people_add_user(store, "ada", false);
	int64_t org = people_add_org(store, "acme");
	struct err err = ERR_INIT;

	assert_int_equal(membership(store, org, ada), ACCOUNT_MEMBER_NONE);
	for (enum account_member m = ACCOUNT_MEMBER_READ; m <= ACCOUNT_MEMBER_ADMIN; m++) {
		assert_ok(set_member(store, org, ada, m, &err));
		assert_int_equal(membership(store, org, ada), m);
	}
	assert_ok(set_member(store, org, ada, ACCOUNT_MEMBER_NONE, &err));
	assert_int_equal(membership(store, org, ada), ACCOUNT_MEMBER_NONE);
}

static void only_users_are_members_and_only_of_organisations(void **state)
{
	struct store *store = scratch_of(state)->store;
	int64_t ada = people_add_user(store, "ada", false);
	int64_t org = people_add_org(store, "acme");
	const int64_t wrong[][2] = {{ada, ada}, {org, org}, {ada, org}, {org, 99}, {99, ada}};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(
			set_member(store, wrong[i][0], wrong[i][1], ACCOUNT_MEMBER_READ, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

struct list {
	char text[128];
};

static void note_org(void *arg, const struct account *org, enum account_member member)
{
	struct list *list = arg;
	size_t length = strlen(list->text);

	snprintf(list->text + length, sizeof(list->text) - length, "%s:%s ", org->name,
		 account_member_name(member));
}

static void organisations_of_a_user_come_by_name(void **state)
{
	struct store *store = scratch_of(state)->store;
	owned(store_read_end) struct store_read *read = NULL;
	int64_t ada = people_add_user(store, "ada", false);
	int64_t bob = people_add_user(store, "bob", false);
	int64_t zoo = people_add_org(store, "zoo");
	int64_t acme = people_add_org(store, "Acme");
	struct list list = {0};
	struct list none = {0};
	struct err err = ERR_INIT;

	people_add_org(store, "other");
	assert_ok(set_member(store, zoo, ada, ACCOUNT_MEMBER_WRITE, &err));
	assert_ok(set_member(store, acme, ada, ACCOUNT_MEMBER_ADMIN, &err));
	assert_ok(store_read_begin(store, &read, &err));
	assert_ok(account_each_org(store_read_db(read), ada, note_org, &list, &err));
	assert_ok(account_each_org(store_read_db(read), bob, note_org, &none, &err));
	assert_string_equal(list.text, "Acme:admin zoo:write ");
	assert_string_equal(none.text, "");
}

struct crowd {
	struct list list;
	size_t most;
	size_t count;
};

static bool note_member(void *arg, const struct account *user, enum account_member member)
{
	struct crowd *crowd = arg;

	note_org(&crowd->list, user, member);
	return ++crowd->count < crowd->most;
}

static void members_come_by_name_behind_another_as_long_as_wanted(void **state)
{
	static const struct {
		const char *after;
		size_t most;
		const char *expected;
	} cases[] = {
		{"", 9, "ada:read Bob:admin cyd:write "},
		{"ADA", 9, "Bob:admin cyd:write "},
		{"", 2, "ada:read Bob:admin "},
		{"cyd", 9, ""},
	};
	struct store *store = scratch_of(state)->store;
	owned(store_read_end) struct store_read *read = NULL;
	int64_t org = people_add_org(store, "acme");
	int64_t empty = people_add_org(store, "empty");
	int64_t count = -1;
	struct err err = ERR_INIT;

	assert_ok(set_member(store, org, people_add_user(store, "Bob", false), ACCOUNT_MEMBER_ADMIN,
			     &err));
	assert_ok(set_member(store, org, people_add_user(store, "cyd", false), ACCOUNT_MEMBER_WRITE,
			     &err));
	assert_ok(set_member(store, org, people_add_user(store, "ada", false), ACCOUNT_MEMBER_READ,
			     &err));
	assert_ok(store_read_begin(store, &read, &err));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct crowd crowd = {.most = cases[i].most};
		const struct account_each each = {note_member, &crowd};

		assert_ok(
			account_each_member(store_read_db(read), org, cases[i].after, &each, &err));
		assert_string_equal(crowd.list.text, cases[i].expected);
	}
	assert_ok(account_count_members(store_read_db(read), org, &count, &err));
	assert_int_equal(count, 3);
	assert_ok(account_count_members(store_read_db(read), empty, &count, &err));
	assert_int_equal(count, 0);
}

static void people_are_called_by_their_full_name(void **state)
{
	const struct account ada = {.name = "ada", .fullname = "Ada Lovelace"};
	const struct account bob = {.name = "bob"};

	assert_string_equal(account_title(&ada), "Ada Lovelace");
	assert_string_equal(account_title(&bob), "bob");
}

static void roles_of_members_are_parsed(void **state)
{
	enum account_member member;
	struct err err = ERR_INIT;

	for (enum account_member m = ACCOUNT_MEMBER_READ; m <= ACCOUNT_MEMBER_ADMIN; m++) {
		assert_ok(account_member_parse(account_member_name(m), &member, &err));
		assert_int_equal(member, m);
	}
	assert_int_equal(account_member_parse("", &member, &err), -1);
	assert_int_equal(account_member_parse("owner", &member, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_account_comes_back_as_it_was_added),
		TEST(adding_twice_needs_the_same_data),
		TEST(bad_accounts_are_refused),
		TEST(a_membership_is_set_changed_and_removed),
		TEST(only_users_are_members_and_only_of_organisations),
		TEST(organisations_of_a_user_come_by_name),
		TEST(members_come_by_name_behind_another_as_long_as_wanted),
		cmocka_unit_test(people_are_called_by_their_full_name),
		cmocka_unit_test(roles_of_members_are_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
