#include "scratch.h"

#include <string.h>

#include "auth/pass.h"

enum { NOW_S = 1000000 };

static const struct pass wanted = {.repo_id = 7, .user_id = -1, .token_id = INT64_MAX};

static struct secret *key_of(char fill)
{
	char bytes[32];

	memset(bytes, fill, sizeof(bytes));
	return secret_new(bytes, sizeof(bytes));
}

static bool reads(const char *text, enum pass_kind kind, int64_t now_s, char fill)
{
	owned(secret_free) struct secret *key = key_of(fill);
	struct pass pass;

	return pass_read(text, strlen(text), kind, now_s, key, &pass);
}

static void write_one(enum pass_kind kind, char out[static PASS_ROOM])
{
	owned(secret_free) struct secret *key = key_of('k');

	pass_write(&wanted, kind, NOW_S, key, out);
}

static void says_whose_it_is(void **state)
{
	owned(secret_free) struct secret *key = key_of('k');
	char text[PASS_ROOM], other[PASS_ROOM];
	struct pass pass;

	write_one(PASS_COOKIE, text);
	write_one(PASS_COOKIE, other);
	assert_int_equal(strlen(text), PASS_ROOM - 1);
	assert_true(pass_read(text, strlen(text), PASS_COOKIE, NOW_S, key, &pass));
	assert_int_equal(pass.repo_id, wanted.repo_id);
	assert_int_equal(pass.user_id, wanted.user_id);
	assert_int_equal(pass.token_id, wanted.token_id);
	assert_int_equal(pass.expires_s, NOW_S + PASS_COOKIE_S);
	assert_string_not_equal(text, other);
}

static void ends_when_it_says(void **state)
{
	char text[PASS_ROOM];

	write_one(PASS_LINK, text);
	assert_true(reads(text, PASS_LINK, NOW_S + PASS_LINK_S - 1, 'k'));
	assert_false(reads(text, PASS_LINK, NOW_S + PASS_LINK_S, 'k'));
}

static void is_of_one_kind_and_one_key(void **state)
{
	char text[PASS_ROOM];

	write_one(PASS_LINK, text);
	assert_false(reads(text, PASS_COOKIE, NOW_S, 'k'));
	assert_false(reads(text, PASS_LINK, NOW_S, 'x'));
	write_one(PASS_COOKIE, text);
	assert_false(reads(text, PASS_LINK, NOW_S, 'k'));
}

/* Each letter of it changed, taken away or added. */
static void no_other_text_is_taken(void **state)
{
	char text[PASS_ROOM], changed[PASS_ROOM + 1];

	write_one(PASS_LINK, text);
	for (size_t i = 0; i < PASS_ROOM - 1; i++) {
		memcpy(changed, text, sizeof(text));
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		assert_false(reads(changed, PASS_LINK, NOW_S, 'k'));
		changed[i] = '=';
		assert_false(reads(changed, PASS_LINK, NOW_S, 'k'));
		memcpy(changed, text, i);
		changed[i] = '\0';
		assert_false(reads(changed, PASS_LINK, NOW_S, 'k'));
	}
	snprintf(changed, sizeof(changed), "%sA", text);
	assert_false(reads(changed, PASS_LINK, NOW_S, 'k'));
}

static void a_link_is_spent_once_and_forgotten_when_it_has_expired(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct pass first = {.expires_s = NOW_S + 1, .nonce = "first"};
	struct pass second = {.expires_s = NOW_S + 9, .nonce = "second"};
	struct store_tx *tx = NULL;
	struct store_query *query;
	struct err err = ERR_INIT;

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_int_equal(pass_spend(store_tx_db(tx), &first, NOW_S, &err), 1);
	assert_int_equal(pass_spend(store_tx_db(tx), &first, NOW_S, &err), 0);
	assert_int_equal(pass_spend(store_tx_db(tx), &second, NOW_S + 1, &err), 1);
	query = store_query(store_tx_db(tx), "SELECT count(*) FROM spent_links");
	assert_int_equal(store_step(query, &err), 1);
	assert_int_equal(store_int(query, 0), 1);
	store_query_end(query);
	store_tx_end(tx);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_whose_it_is),
		cmocka_unit_test(ends_when_it_says),
		cmocka_unit_test(is_of_one_kind_and_one_key),
		cmocka_unit_test(no_other_text_is_taken),
		TEST(a_link_is_spent_once_and_forgotten_when_it_has_expired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
