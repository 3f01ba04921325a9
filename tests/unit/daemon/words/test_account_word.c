#include "scratch.h"

#include <string.h>

#include "daemon/words/account_word.h"

static void texts_that_fit_are_taken(void **state)
{
	char longest[NAME_ROOM];
	struct account account = {.admin = true};
	struct err err = ERR_INIT;

	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_ok(account_word_fill(&account, longest, "Full", NULL, &err));
	assert_string_equal(account.name, longest);
	assert_string_equal(account.fullname, "Full");
	assert_string_equal(account.email, "");
	assert_true(account.admin);
}

static void texts_that_do_not_fit_are_refused(void **state)
{
	static char text[300];
	struct account account = {0};
	struct err err = ERR_INIT;

	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(account_word_fill(&account, text, NULL, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(account_word_fill(&account, "me", text, NULL, &err), -1);
	assert_non_null(strstr(err.text, "127"));
	assert_int_equal(account_word_fill(&account, "me", NULL, text, &err), -1);
	assert_non_null(strstr(err.text, "255"));
}

static void only_users_are_found(void **state)
{
	struct store *store = scratch_of(state)->store;
	const struct account me = {.type = ACCOUNT_USER, .name = "me"};
	const struct account acme = {.type = ACCOUNT_ORG, .name = "acme"};
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct account found;
	struct err err = ERR_INIT;

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(account_add(store_tx_db(tx), &me, &err));
	assert_ok(account_add(store_tx_db(tx), &acme, &err));
	assert_ok(account_word_user(store_tx_db(tx), "ME", &found, &err));
	assert_string_equal(found.name, "me");
	assert_int_equal(account_word_user(store_tx_db(tx), "acme", &found, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(account_word_user(store_tx_db(tx), "you", &found, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_that_fit_are_taken),
		cmocka_unit_test(texts_that_do_not_fit_are_refused),
		cmocka_unit_test_setup_teardown(only_users_are_found, scratch_setup,
						scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
