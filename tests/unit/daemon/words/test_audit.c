#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "daemon/words/words.h"
#include "store/audit.h"
#include "word.h"

#define RUN(...)                                                                                   \
	word_run(words_audit, store, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL}, &out, \
		 &err)

static void add(struct store *store, const char *actor, const char *target)
{
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;
	const struct audit_who who = {.actor = actor, .address = "192.0.2.1"};
	const struct audit_entry entry = {&who, "repo.create", target, "a\x1b[31m"};

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(audit_add(store_tx_db(tx), &entry, &err));
	assert_ok(store_tx_commit(tx, &err));
}

static void rows_are_a_table_without_control_characters(void **state)
{
	struct store *store = scratch_of(state)->store;
	owned(free) char *out = NULL;
	struct err err;

	add(store, "me", "spaces/me/demo");
	assert_ok(RUN());
	assert_non_null(strstr(out, "TIME (UTC)           WHO             ACTION              "
				    "TARGET                        FROM            DETAIL\n"));
	assert_non_null(strstr(out, "  me              repo.create         spaces/me/demo          "
				    "      192.0.2.1       a?[31m \n"));
}

static void rows_are_chosen_newest_first(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct err err;
	char *out;

	add(store, "me", "spaces/me/first");
	add(store, "other", "spaces/me/second");
	assert_ok(RUN());
	assert_true(strstr(out, "second") < strstr(out, "first"));
	free(out);
	assert_ok(RUN("--actor", "me"));
	assert_null(strstr(out, "second"));
	assert_non_null(strstr(out, "first"));
	free(out);
	assert_ok(RUN("--target=me/second", "--action=repo", "--since=1h", "--until=2999-01-01"));
	assert_non_null(strstr(out, "second"));
	assert_null(strstr(out, "first"));
	free(out);
	assert_ok(RUN("--limit", "1"));
	assert_null(strstr(out, "first"));
	free(out);
}

static void json_is_a_row_a_line(void **state)
{
	struct store *store = scratch_of(state)->store;
	owned(json_decref) json_t *row = NULL;
	owned(free) char *out = NULL;
	struct err err;

	add(store, "me", "spaces/me/demo");
	assert_ok(RUN("--json"));
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	assert_ok(json_parse(out, strlen(out), &row, &err));
	assert_string_equal(json_string_value(json_object_get(row, "target")), "spaces/me/demo");
}

static void the_chain_is_verified_against_a_kept_head(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct err err;
	char head[128];
	char *out;

	add(store, "me", "spaces/me/demo");
	assert_ok(RUN("--verify"));
	assert_int_equal(sscanf(out, "1 rows are whole; head %127s", head), 1);
	free(out);
	assert_ok(RUN("--verify", "--head", head));
	free(out);
	head[0] = '2';
	assert_int_equal(RUN("--verify", "--head", head), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_string_equal(err.text, "audit: row 2 is missing; 1 rows before it are right");
	free(out);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit"), 1);
}

static void wrong_use_is_refused(void **state)
{
	static const char *const wrong[][5] = {
		{"me"},
		{"--limit", "0"},
		{"--limit", "x"},
		{"--since", "x"},
		{"--head", "1:a"},
		{"--verify", "--json"},
		{"--wheel"},
		{"--verify", "--head", "1"},
		{"--verify", "--limit", "5"},
	};
	struct store *store = scratch_of(state)->store;
	struct err err;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		owned(free) char *out = NULL;

		assert_int_equal(word_run(words_audit, store, wrong[i], &out, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_string_equal(out, "");
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(rows_are_a_table_without_control_characters),
		TEST(rows_are_chosen_newest_first),
		TEST(json_is_a_row_a_line),
		TEST(the_chain_is_verified_against_a_kept_head),
		TEST(wrong_use_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
