#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void set(struct world *world, bool secret, const char *key, const char *value)
{
	const struct keys_entry entry = {.key = key, .value = value};
	struct store_tx *tx = world_begin(world);
	struct err err = ERR_INIT;

	world_ok(secret ? keys_set_secret(store_tx_db(tx), repo.id, world->vault, &entry, &err)
			: keys_set_variable(store_tx_db(tx), repo.id, &entry, &err),
		 &err);
	world_commit(tx);
}

static void add(void *arg, const char *key, const char *value)
{
	str_addf(arg, "%s=%s ", key, value);
}

static void expect(struct world *world, bool secret, const char *wanted)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(str_done) struct str all = str_new(1000);
	struct err err = ERR_INIT;

	world_ok(store_read_begin(world->store, &read, &err), &err);
	world_ok(secret ? keys_each_secret(store_read_db(read), repo.id, world->vault, add, &all,
					   &err)
			: keys_each_variable(store_read_db(read), repo.id, add, &all, &err),
		 &err);
	assert_string_equal(all.data, wanted);
}

static void keeps_the_order_in_which_keys_came(void **state)
{
	for (int secret = 0; secret < 2; secret++) {
		set(*state, secret, "B", "1");
		set(*state, secret, "A", "2");
		set(*state, secret, "B", "3"); /* replaced where it stands */
		expect(*state, secret, "B=3 A=2 ");
	}
}

static void holds_no_secret_in_clear(void **state)
{
	struct world *world = *state;
	owned(store_read_end) struct store_read *read = NULL;
	owned(store_query_end) struct store_query *query = NULL;
	struct err err = ERR_INIT;
	const void *sealed;
	size_t length;

	set(world, true, "A", "plaintext");
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

static void limits_how_many_and_how_long(void **state)
{
	struct world *world = *state;
	struct store_tx *tx = world_begin(world);
	owned(free) char *value = mem_alloc(VAULT_VALUE_MAX + 2);
	struct err err = ERR_INIT;

	memset(value, 'x', VAULT_VALUE_MAX + 1);
	assert_int_equal(keys_check(&(struct keys_entry){"A", value, NULL}, &err), -1);
	for (int i = 0; i <= KEYS_COUNT_MAX; i++) {
		owned(free) char *key = mem_format("K%d", i);
		const struct keys_entry entry = {key, "x", NULL};

		assert_int_equal(keys_set_variable(store_tx_db(tx), repo.id, &entry, &err),
				 i < KEYS_COUNT_MAX ? 0 : -1);
	}
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	store_tx_end(tx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_the_order_in_which_keys_came, setup,
						teardown),
		cmocka_unit_test_setup_teardown(holds_no_secret_in_clear, setup, teardown),
		cmocka_unit_test(refuses_names_that_no_environment_holds),
		cmocka_unit_test_setup_teardown(limits_how_many_and_how_long, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
