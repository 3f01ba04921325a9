#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "space/bill.h"
#include "space/runrow.h"
#include "tx.h"
#include "world.h"

static struct ledger_moment at(int64_t ms)
{
	return (struct ledger_moment){.wall_ms = ms, .mono_ms = ms, .boot = "x"};
}

/* A run on a flavor; it goes on where `to_ms` is 0. */
static void use(const char *key, const char *flavor, int64_t price, int64_t from_ms, int64_t to_ms)
{
	struct runrow row = {
		.kind = ENGINE_APP, .repo_id = repo.id, .generation = 2, .log = 1, .price = price};
	struct ledger_moment from = at(from_ms);
	struct ledger_moment to = at(to_ms);
	struct err err = ERR_INIT;

	snprintf(row.key, sizeof(row.key), "%s", key);
	snprintf(row.flavor, sizeof(row.flavor), "%s", flavor);
	world_ok(runrow_add(db, &row, &err), &err);
	world_ok(ledger_begin(db, key, &from, &err), &err);
	if (to_ms)
		world_ok(ledger_end(db, key, &to, &err), &err);
}

static char *bill(struct ledger_filter filter, int64_t now_ms)
{
	owned(json_decref) json_t *json = NULL;
	struct ledger_moment now = at(now_ms);
	struct err err = ERR_INIT;

	filter.repo_id = repo.id;
	world_ok(bill_json(db, &filter, &now, &json, &err), &err);
	return json_text(json);
}

static void says_integers_and_decimal_text(void **state)
{
	owned(free) char *text = NULL;

	use("a-1", "cpu-upgrade", 500, 1000, 91500);
	text = bill((struct ledger_filter){0}, 100000);
	assert_string_equal(text, "{\"from\":null,\"to\":\"1970-01-01T00:01:40.000Z\","
				  "\"uses\":[{\"space\":\"me/used\",\"flavor\":\"cpu-upgrade\","
				  "\"unitCostMicroUSD\":500,\"milliseconds\":90500,"
				  "\"seconds\":\"90.500\",\"costMicroUSD\":754,"
				  "\"costUSD\":\"0.000754\"}],"
				  "\"total\":{\"milliseconds\":90500,\"seconds\":\"90.500\","
				  "\"costMicroUSD\":754,\"costUSD\":\"0.000754\"}}");
}

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void the_total_is_the_sum_of_the_uses(void **state)
{
	owned(json_decref) json_t *json = NULL;
	struct ledger_filter filter = {.repo_id = repo.id};
	struct ledger_moment now = at(60000);
	struct err err = ERR_INIT;
	int64_t used_ms = 0, cost = 0;
	const json_t *item;
	size_t i;

	use("a-1", "cpu-basic", 0, 1000, 3001);
	use("a-2", "cpu-upgrade", 500, 4000, 5007);
	use("a-3", "cpu-upgrade", 700, 6000, 9013);
	use("a-4", "t4-small", 10000, 10000, 0);
	world_ok(bill_json(db, &filter, &now, &json, &err), &err);
	assert_int_equal(json_array_size(json_object_get(json, "uses")), 4);
	json_array_foreach (json_object_get(json, "uses"), i, item) {
		used_ms += number(item, "milliseconds");
		cost += number(item, "costMicroUSD");
	}
	assert_int_equal(used_ms, 2001 + 1007 + 3013 + 50000);
	assert_int_equal(number(json_object_get(json, "total"), "milliseconds"), used_ms);
	assert_int_equal(number(json_object_get(json, "total"), "costMicroUSD"), cost);
}

static void an_end_in_the_future_is_now(void **state)
{
	owned(free) char *text = NULL;

	use("a-1", "cpu-basic", 0, 1000, 0);
	text = bill((struct ledger_filter){.from_ms = 2000, .to_ms = INT64_MAX}, 5000);
	assert_non_null(strstr(text, "\"from\":\"1970-01-01T00:00:02.000Z\","
				     "\"to\":\"1970-01-01T00:00:05.000Z\""));
	assert_non_null(strstr(text, "\"total\":{\"milliseconds\":3000,"));
}

static void who_used_nothing_gets_an_empty_bill(void **state)
{
	owned(free) char *text = bill((struct ledger_filter){0}, 5000);

	assert_non_null(strstr(text, "\"uses\":[],\"total\":{\"milliseconds\":0,"
				     "\"seconds\":\"0.000\",\"costMicroUSD\":0,"
				     "\"costUSD\":\"0.000000\"}"));
}

static void a_beginning_behind_the_end_is_refused(void **state)
{
	static const struct ledger_filter bad[] = {{.from_ms = 3000, .to_ms = 2000},
						   {.from_ms = 9000}};
	struct ledger_moment now = at(5000);
	struct err err = ERR_INIT;
	json_t *json;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(bill_json(db, &bad[i], &now, &json, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		err = ERR_INIT;
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(says_integers_and_decimal_text),
		TEST(the_total_is_the_sum_of_the_uses),
		TEST(an_end_in_the_future_is_now),
		TEST(who_used_nothing_gets_an_empty_bill),
		TEST(a_beginning_behind_the_end_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
