#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/json.h"
#include "runner/bundle.h"

static const char *const argv[] = {"/usr/bin/python3", "app.py", NULL};
static const char *const env[] = {"A=1", NULL};
static struct datadir dir = {.path = "/data", .instance = "abc123", .ids_base = 200000};
static const struct runner_config config = {.dir = &dir};

static struct engine_spec make_spec(enum engine_kind kind, const char *cache)
{
	return (struct engine_spec){
		.kind = kind,
		.key = "0123456789abcdef01234567-1",
		.space = "0123456789abcdef01234567",
		.argv = argv,
		.env = env,
		.cwd = "/home/user/app",
		.limits = {500, UINT64_C(1) << 30, 64, UINT64_C(1) << 30},
		.cache = cache,
	};
}

static json_t *config_of(enum engine_kind kind, const char *cache)
{
	struct engine_spec spec = make_spec(kind, cache);
	owned(json_decref) json_t *seccomp = json_object();
	json_t *json = bundle_config(&config, &spec, 7, seccomp);

	assert_non_null(json);
	return json;
}

static int64_t number_at(const json_t *json, const char *a, const char *b, const char *c)
{
	json = json_object_get(json_object_get(json, a), b);
	return json_integer_value(c ? json_object_get(json, c) : json);
}

static bool is_mounted(const json_t *json, const char *destination)
{
	size_t i;
	json_t *mount;

	json_array_foreach (json_object_get(json, "mounts"), i, mount)
		if (strcmp(json_string_value(json_object_get(mount, "destination")), destination) ==
		    0)
			return true;
	return false;
}

static void an_app_has_a_range_of_ids_and_no_capability(void **state)
{
	owned(json_decref) json_t *json = config_of(ENGINE_APP, NULL);
	const json_t *map =
		json_array_get(json_object_get(json_object_get(json, "linux"), "uidMappings"), 0);
	const json_t *capabilities =
		json_object_get(json_object_get(json, "process"), "capabilities");
	const char *name;
	json_t *set;

	assert_int_equal(json_integer_value(json_object_get(map, "hostID")), datadir_ids(&dir, 7));
	assert_int_equal(json_integer_value(json_object_get(map, "size")), 65536);
	json_object_foreach ((json_t *)capabilities, name, set)
		assert_int_equal(json_array_size(set), 0);
	assert_int_equal(json_object_size(capabilities), 5);
	assert_int_equal(number_at(json, "process", "user", "uid"), 1000);
	assert_true(
		json_is_true(json_object_get(json_object_get(json, "process"), "noNewPrivileges")));
}

static void limits_are_set(void **state)
{
	owned(json_decref) json_t *json = config_of(ENGINE_APP, NULL);
	const json_t *resources = json_object_get(json_object_get(json, "linux"), "resources");

	assert_int_equal(number_at(resources, "cpu", "quota", NULL), 50000);
	assert_int_equal(number_at(resources, "cpu", "shares", NULL), 4 * 512); /* it starts */
	assert_int_equal(number_at(resources, "memory", "limit", NULL), 1 << 30);
	assert_int_equal(number_at(resources, "pids", "limit", NULL), 64);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "linux"), "cgroupsPath")),
		"/espace-abc123/0123456789abcdef01234567-1");
}

static void only_a_shared_build_is_root(void **state)
{
	owned(json_decref) json_t *shared = config_of(ENGINE_BUILD, "shared");
	owned(json_decref) json_t *own = config_of(ENGINE_BUILD, "0123456789abcdef01234567");

	assert_int_equal(number_at(shared, "process", "user", "uid"), 0);
	assert_int_equal(number_at(own, "process", "user", "uid"), 1000);
}

static void only_a_build_sees_the_tools(void **state)
{
	owned(json_decref) json_t *app = config_of(ENGINE_APP, NULL);
	owned(json_decref) json_t *build = config_of(ENGINE_BUILD, "shared");

	assert_false(is_mounted(app, "/build") || is_mounted(app, "/usr/local/bin/uv"));
	assert_true(is_mounted(build, "/build") && is_mounted(build, "/usr/local/bin/uv"));
	assert_true(is_mounted(app, "/tmp") && !is_mounted(build, "/tmp"));
}

static void only_who_has_a_file_of_secrets_sees_one(void **state)
{
	static const char path[] = "/home/user/.streamlit/secrets.toml";
	struct engine_spec spec = make_spec(ENGINE_APP, NULL);
	owned(json_decref) json_t *seccomp = json_object();
	owned(json_decref) json_t *without = bundle_config(&config, &spec, 7, seccomp);
	json_t *with;

	spec.secrets_from = 1;
	with = bundle_config(&config, &spec, 7, seccomp);
	assert_false(is_mounted(without, path));
	assert_true(is_mounted(with, path));
	json_decref(with);
}

static void only_who_has_a_disk_sees_data(void **state)
{
	struct engine_spec spec = make_spec(ENGINE_APP, NULL);
	owned(json_decref) json_t *seccomp = json_object();
	owned(json_decref) json_t *without = bundle_config(&config, &spec, 7, seccomp);
	json_t *with;

	spec.data_bytes = UINT64_C(20) << 30;
	with = bundle_config(&config, &spec, 7, seccomp);
	assert_false(is_mounted(without, "/data"));
	assert_true(is_mounted(with, "/data"));
	json_decref(with);
}

static void the_command_runs_under_the_init(void **state)
{
	owned(json_decref) json_t *json = config_of(ENGINE_APP, NULL);
	const json_t *args = json_object_get(json_object_get(json, "process"), "args");

	assert_int_equal(json_array_size(args), 4);
	assert_string_equal(json_string_value(json_array_get(args, 0)), "/run/espace-init");
	assert_string_equal(json_string_value(json_array_get(args, 3)), "app.py");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_app_has_a_range_of_ids_and_no_capability),
		cmocka_unit_test(limits_are_set),
		cmocka_unit_test(only_a_shared_build_is_root),
		cmocka_unit_test(only_a_build_sees_the_tools),
		cmocka_unit_test(only_who_has_a_file_of_secrets_sees_one),
		cmocka_unit_test(only_who_has_a_disk_sees_data),
		cmocka_unit_test(the_command_runs_under_the_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
