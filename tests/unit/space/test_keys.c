#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "space/keys.h"
#include "world.h"

static struct repo repo;

static int setup(void **state)
{
	*state = world_new();
	repo = world_space(*state, "keys");
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static struct keys keys_of(struct world *world, struct store_db *db)
{
	return (struct keys){db, repo.id, world->vault};
}

/* Set a key; expect what it says to have changed. */
static void set_entry(struct world *world, enum keys_kind kind, const struct keys_entry *entry,
		      enum keys_change change)
{
	struct store_tx *tx = world_begin(world);
	const struct keys keys = keys_of(world, store_tx_db(tx));
	struct err err = ERR_INIT;
	int result = keys_set(&keys, kind, entry, &err);

	world_ok(result, &err);
	assert_int_equal(result, change);
	world_commit(tx);
}

static void set(struct world *world, enum keys_kind kind, const char *key, const char *value)
{
	set_entry(world, kind, &(struct keys_entry){key, value, NULL}, KEYS_CHANGED);
}

static void add(void *arg, const char *key, const char *value)
{
	str_addf(arg, "%s=%s ", key, value);
}

static void expect(struct world *world, enum keys_kind kind, const char *wanted)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(str_done) struct str all = str_new(1000);
	struct err err = ERR_INIT;
	struct keys keys;

	world_ok(store_read_begin(world->store, &read, &err), &err);
	keys = keys_of(world, store_read_db(read));
	world_ok(keys_each(&keys, kind, add, &all, &err), &err);
	assert_string_equal(all.data, wanted);
}

static void keeps_the_order_in_which_keys_came(void **state)
{
	set(*state, KEYS_SECRET, "B", "1");
	set(*state, KEYS_SECRET, "A", "2");
	set(*state, KEYS_SECRET, "B", "3"); /* replaced where it stands */
	expect(*state, KEYS_SECRET, "B=3 A=2 ");
	set(*state, KEYS_VARIABLE, "b", "1");
	set(*state, KEYS_VARIABLE, "a", "2");
	set(*state, KEYS_VARIABLE, "b", "3");
	expect(*state, KEYS_VARIABLE, "b=3 a=2 ");
}

static void holds_no_secret_in_clear(void **state)
{
	struct world *world = *state;
	owned(store_read_end) struct store_read *read = NULL;
	owned(store_query_end) struct store_query *query = NULL;
	struct err err = ERR_INIT;
	const void *sealed;
	size_t length;

	set(world, KEYS_SECRET, "A", "plaintext");
	world_ok(store_read_begin(world->store, &read, &err), &err);
	query = store_query(store_read_db(read), "SELECT sealed FROM secrets");
	assert_int_equal(store_step(query, &err), 1);
	sealed = store_blob(query, 0, &length);
	assert_null(memmem(sealed, length, "plaintext", 9));
}

static void refuses_names_that_no_environment_holds(void **state)
{
	static const char *const bad[] = {"", "1A", "A-B", "A B", "A=B", "\xc3\xa9"};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(keys_check(&(struct keys_entry){bad[i], "x", NULL}, &err), -1);
	world_ok(keys_check(&(struct keys_entry){"_a1", "", NULL}, &err), &err);
}

static void knows_what_changes(void **state)
{
	for (int i = 0; i < 2; i++) {
		enum keys_kind kind = i ? KEYS_SECRET : KEYS_VARIABLE;
		const char *key = i ? "S" : "V";

		set(*state, kind, key, "1");
		set_entry(*state, kind, &(struct keys_entry){key, "1", ""}, KEYS_SAME);
		set_entry(*state, kind, &(struct keys_entry){key, "1", "one"}, KEYS_DESCRIBED);
		set_entry(*state, kind, &(struct keys_entry){key, "1", "one"}, KEYS_SAME);
		set_entry(*state, kind, &(struct keys_entry){key, "10", "one"}, KEYS_CHANGED);
	}
}

static void forgets_what_is_deleted(void **state)
{
	struct world *world = *state;
	struct store_tx *tx;
	struct keys keys;
	struct err err = ERR_INIT;

	set(world, KEYS_SECRET, "A", "1");
	set(world, KEYS_SECRET, "B", "2");
	tx = world_begin(world);
	keys = keys_of(world, store_tx_db(tx));
	assert_int_equal(keys_delete(&keys, KEYS_VARIABLE, "A", &err), KEYS_SAME);
	assert_int_equal(keys_delete(&keys, KEYS_SECRET, "A", &err), KEYS_CHANGED);
	assert_int_equal(keys_delete(&keys, KEYS_SECRET, "A", &err), KEYS_SAME);
	world_commit(tx);
	expect(world, KEYS_SECRET, "B=2 ");
}

static void has_one_value_for_a_name(void **state)
{
	struct world *world = *state;
	struct store_tx *tx;
	struct keys keys;
	struct err err = ERR_INIT;

	set(world, KEYS_SECRET, "A", "1");
	tx = world_begin(world);
	keys = keys_of(world, store_tx_db(tx));
	assert_int_equal(keys_set(&keys, KEYS_VARIABLE, &(struct keys_entry){"A", "2", NULL}, &err),
			 -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "A is a secret"));
	store_tx_end(tx);
}

static void lists_all_but_the_values_of_secrets(void **state)
{
	struct world *world = *state;
	owned(store_read_end) struct store_read *read = NULL;
	owned(json_decref) json_t *secrets = NULL;
	owned(json_decref) json_t *variables = NULL;
	struct keys keys;
	struct err err = ERR_INIT;

	set_entry(world, KEYS_SECRET, &(struct keys_entry){"S", "hidden", "d"}, KEYS_CHANGED);
	set(world, KEYS_VARIABLE, "V", "shown");
	world_ok(store_read_begin(world->store, &read, &err), &err);
	keys = keys_of(world, store_read_db(read));
	world_ok(keys_json(&keys, KEYS_SECRET, &secrets, &err), &err);
	world_ok(keys_json(&keys, KEYS_VARIABLE, &variables, &err), &err);
	assert_null(json_object_get(json_object_get(secrets, "S"), "value"));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(secrets, "S"), "description")),
		"d");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(variables, "V"), "value")),
		"shown");
	assert_null(json_object_get(json_object_get(variables, "V"), "description"));
	assert_non_null(json_object_get(json_object_get(variables, "V"), "updatedAt"));
}

static void expect_too_large(struct world *world, enum keys_kind kind, const char *key,
			     const char *value)
{
	struct store_tx *tx = world_begin(world);
	const struct keys keys = keys_of(world, store_tx_db(tx));
	struct err err = ERR_INIT;

	assert_int_equal(keys_set(&keys, kind, &(struct keys_entry){key, value, NULL}, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	store_tx_end(tx);
}

static void limits_how_many_and_how_long(void **state)
{
	struct world *world = *state;
	owned(free) char *value = mem_alloc(KEYS_VALUE_MAX + 2);

	memset(value, 'x', KEYS_VALUE_MAX + 1);
	expect_too_large(world, KEYS_VARIABLE, "A", value);
	for (int i = 0; i < KEYS_COUNT_MAX; i++) {
		owned(free) char *key = mem_format("K%d", i);

		set(world, KEYS_VARIABLE, key, "x");
	}
	expect_too_large(world, KEYS_VARIABLE, "ONE_MORE", "x");
	value[KEYS_VALUE_MAX] = '\0';
	set(world, KEYS_SECRET, "A", value);
	expect_too_large(world, KEYS_SECRET, "B", value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_the_order_in_which_keys_came, setup,
						teardown),
		cmocka_unit_test_setup_teardown(holds_no_secret_in_clear, setup, teardown),
		cmocka_unit_test_setup_teardown(knows_what_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(forgets_what_is_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(has_one_value_for_a_name, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_all_but_the_values_of_secrets, setup,
						teardown),
		cmocka_unit_test(refuses_names_that_no_environment_holds),
		cmocka_unit_test_setup_teardown(limits_how_many_and_how_long, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
