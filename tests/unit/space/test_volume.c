#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "space/volume.h"
#include "world.h"

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static json_t *json(const char *text)
{
	json_t *value = NULL;
	struct err err = ERR_INIT;

	world_ok(json_parse(text, strlen(text), &value, &err), &err);
	return value;
}

static int set(struct world *world, int64_t repo_id, const char *text)
{
	owned(json_decref) json_t *list = json(text);
	struct store_tx *tx = world_begin(world);
	struct err err = ERR_INIT;
	int changed = volume_set(store_tx_db(tx), repo_id, list, &err);

	world_ok(changed, &err);
	world_commit(tx);
	return changed;
}

static void keeps_what_the_wire_names_in_order(void **state)
{
	static const char given[] =
		"[{\"source\":\"a/b\",\"mountPath\":\"/x\",\"extra\":1},"
		"{\"type\":\"dataset\",\"source\":\"c/d\",\"mountPath\":\"/w\",\"readOnly\":true,"
		"\"revision\":\"main\",\"path\":\"in/side\"}]";
	owned(json_decref) json_t *wanted = json(
		"[{\"type\":\"model\",\"source\":\"a/b\",\"mountPath\":\"/x\"},"
		"{\"type\":\"dataset\",\"source\":\"c/d\",\"mountPath\":\"/w\",\"readOnly\":true,"
		"\"revision\":\"main\",\"path\":\"in/side\"}]");
	struct world *world = *state;
	struct repo repo = world_space(world, "volumes");
	owned(store_read_end) struct store_read *read = NULL;
	owned(json_decref) json_t *list = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(set(world, repo.id, given), 1);
	assert_int_equal(set(world, repo.id, given), 0); /* equal: nothing to restart for */
	world_ok(store_read_begin(world->store, &read, &err), &err);
	world_ok(volume_list(store_read_db(read), repo.id, &list, &err), &err);
	assert_true(json_equal(list, wanted));
}

static void replaces_all(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "replaced");

	assert_int_equal(set(world, repo.id, "[]"), 0);
	assert_int_equal(set(world, repo.id, "[{\"source\":\"a/b\",\"mountPath\":\"/x\"}]"), 1);
	assert_int_equal(set(world, repo.id, "[{\"source\":\"a/b\",\"mountPath\":\"/y\"}]"), 1);
	assert_int_equal(set(world, repo.id, "[]"), 1);
}

static void refuses_what_is_no_volume(void **state)
{
	static const char *const bad[] = {
		"{}",
		"[1]",
		"[{\"mountPath\":\"/x\"}]",
		"[{\"source\":\"a/b\"}]",
		"[{\"source\":\"ab\",\"mountPath\":\"/x\"}]",
		"[{\"source\":\"a/b/c\",\"mountPath\":\"/x\"}]",
		"[{\"source\":\"../b\",\"mountPath\":\"/x\"}]",
		"[{\"source\":\"a/b\",\"mountPath\":\"x\"}]",
		"[{\"source\":\"a/b\",\"mountPath\":\"/\"}]",
		"[{\"source\":\"a/b\",\"mountPath\":\"/../x\"}]",
		"[{\"source\":\"a/b\",\"mountPath\":\"/x\",\"path\":\"../y\"}]",
		"[{\"source\":\"a/b\",\"mountPath\":\"/x\",\"type\":\"disk\"}]",
		"[{\"source\":\"a/b\",\"mountPath\":\"/x\",\"readOnly\":1}]",
		("[{\"source\":\"a/b\",\"mountPath\":\"/x\"},"
		 "{\"source\":\"c/d\",\"mountPath\":\"/x\"}]"),
	};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		owned(json_decref) json_t *list = json(bad[i]);

		if (volume_check(list, &err) == 0)
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	world_ok(volume_check(NULL, &err), &err);
}

static void limits_how_many(void **state)
{
	owned(json_decref) json_t *list = json_array();
	struct err err = ERR_INIT;

	for (int i = 0; i <= VOLUME_COUNT_MAX; i++)
		json_array_append_new(list, json_pack("{s:s, s:o}", "source", "a/b", "mountPath",
						      json_sprintf("/%d", i)));
	assert_int_equal(volume_check(list, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_what_the_wire_names_in_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(replaces_all, setup, teardown),
		cmocka_unit_test(refuses_what_is_no_volume),
		cmocka_unit_test(limits_how_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
