#include "scratch.h"

#include <stdio.h>

#include "auth/auth.h"
#include "auth/scope.h"
#include "auth/token.h"
#include "people.h"

static struct scope_list parsed(const char *const *texts)
{
	struct scope_list list;
	struct err err = ERR_INIT;

	assert_ok(scope_parse(texts, &list, &err));
	return list;
}

static void a_list_is_in_order_and_names_nothing_twice(void **state)
{
	static const char *const texts[] = {"repo.read:b/x", "repo.read:A/y", "repo.write:B/X",
					    "repo.read:b/x", "repo.read:b",   NULL};
	struct scope_list list = parsed(texts);
	struct scope_list none = parsed(NULL);

	assert_int_equal(list.count, 3);
	assert_string_equal(list.items[0].name, "A/y");
	assert_false(list.items[0].may_write);
	assert_string_equal(list.items[1].name, "b");
	assert_string_equal(list.items[2].name, "b/x");
	assert_true(list.items[2].may_write);
	assert_int_equal(none.count, 0);
}

static void a_scope_reaches_its_repository_or_its_namespace(void **state)
{
	static const char *const texts[] = {"repo.read:me/demo",  "repo.write:me/app",
					    "repo.read:lab",      "repo.write:acme",
					    "repo.write:lab/one", NULL};
	static const struct {
		const char *name;
		enum scope_reach reach;
	} cases[] = {
		{"me/demo", SCOPE_READ},  {"ME/Demo", SCOPE_READ},  {"me/app", SCOPE_WRITE},
		{"me/demo2", SCOPE_NONE}, {"me/dem", SCOPE_NONE},   {"me", SCOPE_NONE},
		{"lab", SCOPE_READ},      {"lab/any", SCOPE_READ},  {"lab/one", SCOPE_WRITE},
		{"acme", SCOPE_MANAGE},   {"Acme/x", SCOPE_MANAGE}, {"acme2/x", SCOPE_NONE},
		{"acm/x", SCOPE_NONE},    {"", SCOPE_NONE},
	};
	struct scope_list list = parsed(texts);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (scope_reach(&list, cases[i].name) != cases[i].reach)
			fail_msg("%s: %d", cases[i].name, scope_reach(&list, cases[i].name));
}

static void what_is_no_scope_is_refused(void **state)
{
	static const char *const bad[] = {"",
					  "me/demo",
					  "repo.write:",
					  "repo.read:/x",
					  "repo.write:me/",
					  "repo.write:me/demo/x",
					  "repo.write:me/..",
					  "repo.read:a b",
					  "repo.admin:me/demo",
					  "repo.write:-me"};
	static char names[SCOPE_MAX + 1][32];
	static const char *many[SCOPE_MAX + 2];
	struct scope_list list = {.count = 7};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const texts[] = {"repo.read:fine", bad[i], NULL};

		assert_int_equal(scope_parse(texts, &list, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	for (int i = 0; i <= SCOPE_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "repo.read:ada/r%02d", i);
		many[i] = names[i];
	}
	assert_int_equal(scope_parse(many, &list, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(list.count, 7);
}

static void lists_compare_by_all_that_they_say(void **state)
{
	static const char *const texts[] = {"repo.read:a/b", "repo.write:c", NULL};
	static const char *const same[] = {"repo.write:C", "repo.read:A/b", NULL};
	static const char *const others[][3] = {{"repo.read:a/b", NULL},
						{"repo.write:a/b", "repo.write:c", NULL},
						{"repo.read:a/b", "repo.write:d", NULL}};
	struct scope_list list = parsed(texts);
	struct scope_list other = parsed(same);

	assert_true(scope_equal(&list, &other));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		other = parsed(others[i]);
		assert_false(scope_equal(&list, &other));
	}
}

static void what_is_stored_comes_back(void **state)
{
	static const char *const texts[] = {"repo.read:Me/demo", "repo.write:acme", NULL};
	struct store *store = scratch_of(state)->store;
	const struct token_spec spec = {.value = "hf_x", .role = AUTH_FINE_GRAINED};
	int64_t ada = people_add_user(store, "ada", false);
	struct scope_list list = parsed(texts);
	struct scope_list loaded;
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;
	char value[TOKEN_ROOM];

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_int_equal(token_add(store_tx_db(tx), ada, &spec, value, &err), 1);
	assert_ok(scope_load(store_tx_db(tx), 1, &loaded, &err));
	assert_int_equal(loaded.count, 0);
	assert_ok(scope_store(store_tx_db(tx), 1, &list, &err));
	assert_ok(scope_load(store_tx_db(tx), 1, &loaded, &err));
	assert_true(scope_equal(&list, &loaded));
	assert_string_equal(loaded.items[1].name, "Me/demo");
	assert_ok(store_tx_commit(tx, &err));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_in_order_and_names_nothing_twice),
		cmocka_unit_test(a_scope_reaches_its_repository_or_its_namespace),
		cmocka_unit_test(what_is_no_scope_is_refused),
		cmocka_unit_test(lists_compare_by_all_that_they_say),
		TEST(what_is_stored_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
