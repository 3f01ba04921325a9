#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "daemon/words/words.h"
#include "word.h"

#define RUN(...)                                                                                   \
	word_run(words_usage, store, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL}, &out, \
		 &err)

static void fill(struct store *store)
{
	scratch_write(store, "INSERT INTO accounts (id, hex, type, name, created_ms) VALUES"
			     " (1, 'a', 'user', 'me', 0), (2, 'b', 'org', 'acme', 0)");
	scratch_write(store,
		      "INSERT INTO ledger (repo_id, run_key, run_id, owner_id, space, flavor,"
		      " price, from_ms, from_mono, boot, to_ms, to_mono, to_boot, used_ms) VALUES"
		      " (1, 'a-1', 1, 1, 'me/demo', 'cpu-basic', 0, 1000, 0, 'x', 4250, 0, 'x',"
		      " 3250),"
		      " (2, 'b-1', 2, 2, 'acme/big', 't4-small', 10000, 1000, 0, 'x', 61000, 0,"
		      " 'x', 60000)");
}

static void use_is_a_table_with_its_total(void **state)
{
	struct store *store = scratch_of(state)->store;
	owned(free) char *out = NULL;
	struct err err;

	fill(store);
	assert_ok(RUN());
	assert_string_equal(
		out, "SPACE                                    FLAVOR                    SECONDS"
		     "              USD\n"
		     "acme/big                                 t4-small                   60.000"
		     "         0.010000\n"
		     "me/demo                                  cpu-basic                   3.250"
		     "         0.000000\n"
		     "total                                                               63.250"
		     "         0.010000\n");
}

static void an_account_is_chosen(void **state)
{
	struct store *store = scratch_of(state)->store;
	struct err err;
	char *out;

	fill(store);
	assert_ok(RUN("ACME"));
	assert_non_null(strstr(out, "acme/big"));
	assert_null(strstr(out, "me/demo"));
	free(out);
	assert_int_equal(RUN("nobody"), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	free(out);
}

static void json_is_one_line(void **state)
{
	struct store *store = scratch_of(state)->store;
	owned(json_decref) json_t *json = NULL;
	owned(free) char *out = NULL;
	struct err err;

	fill(store);
	assert_ok(RUN("--json", "me", "--from", "1970-01-01T00:00:02Z"));
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	assert_ok(json_parse(out, strlen(out), &json, &err));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(json, "total"), "milliseconds")),
		2250);
}

static void wrong_use_is_refused(void **state)
{
	struct store *store = scratch_of(state)->store;
	static const char *const bad[][3] = {
		{"me", "acme"}, {"--from=tomorrow"},   {"--to", "x"},
		{"--all"},      {"--from=2999-01-01"}, {"--json=yes"},
	};
	struct err err;
	char *out;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(word_run(words_usage, store, bad[i], &out, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		free(out);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(use_is_a_table_with_its_total),
		TEST(an_account_is_chosen),
		TEST(json_is_one_line),
		TEST(wrong_use_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
