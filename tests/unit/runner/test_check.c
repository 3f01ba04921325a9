#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "runner/check.h"

#define ID  "0123456789abcdef01234567"
#define HEX "0123456789abcdef0123456789abcdef01234567"

static const char *const argv[] = {"/usr/bin/python3", "app.py", NULL};
static const char *const env[] = {"PATH=/usr/bin", "_x1=", NULL};

static struct engine_spec app(void)
{
	return (struct engine_spec){
		.kind = ENGINE_APP,
		.key = ID "-17",
		.space = ID,
		.log = "run-3.log",
		.layers = {"env-0123456789abcdef", "app-" ID "-" HEX},
		.layer_count = 2,
		.argv = argv,
		.env = env,
		.cwd = "/home/user/app",
		.port = 7860,
		.limits = {2000, UINT64_C(16) << 30, 1024, UINT64_C(50) << 30},
	};
}

static struct engine_spec build(void)
{
	struct engine_spec spec = app();

	spec.kind = ENGINE_BUILD;
	snprintf(spec.key, sizeof(spec.key), "env-0123456789abcdef");
	spec.log = "build-1.log";
	spec.layer_count = 0;
	spec.port = 0;
	spec.result = "env-0123456789abcdef";
	spec.cache = "shared";
	return spec;
}

static void assert_good(const struct engine_spec *spec)
{
	struct err err = ERR_INIT;

	if (check_spec(spec, &err) < 0)
		fail_msg("%s", err.text);
}

static void assert_bad(const struct engine_spec *spec)
{
	struct err err = ERR_INIT;

	assert_int_equal(check_spec(spec, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void an_app_and_a_build_pass(void **state)
{
	struct engine_spec spec = app();

	assert_good(&spec);
	spec = build();
	assert_good(&spec);
	spec.cache = ID;
	assert_good(&spec);
}

static void secrets_are_part_of_an_apps_environment(void **state)
{
	struct engine_spec spec = app();

	spec.secrets_from = 2; /* none, and an empty file */
	assert_good(&spec);
	spec.secrets_from = 3;
	assert_bad(&spec);
	spec.env = NULL;
	assert_bad(&spec);
	spec = build();
	spec.secrets_from = 1;
	assert_bad(&spec);
}

static void a_data_disk_has_a_size_within_bounds(void **state)
{
	struct engine_spec spec = app();

	spec.data_bytes = UINT64_C(20) << 30;
	assert_good(&spec);
	spec.data_bytes = 1;
	assert_bad(&spec);
	spec.data_bytes = UINT64_C(17) << 40;
	assert_bad(&spec);
	spec = build();
	spec.data_bytes = UINT64_C(20) << 30;
	assert_bad(&spec);
}

static void a_space_is_named_by_24_digits(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(check_space(ID, &err), 0);
	assert_int_equal(check_space(ID "0", &err), -1);
	assert_int_equal(check_space("../../../../../../etc/pass", &err), -1);
	assert_int_equal(check_space("", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void keys_have_a_fixed_form(void **state)
{
	static const char *const good[] = {ID "-1", ID "-1-2", "env-0123456789abcdef",
					   "env-0123456789abcdef-3"};
	static const char *const bad[] = {"",
					  ".",
					  "..",
					  "a",
					  ID,
					  ID "-",
					  ID "-1-",
					  ID "-1-2-3",
					  ID "-x",
					  ID "-12345678901234567890",
					  ID "-1/..",
					  "0123456789ABCDEF01234567-1",
					  "env-0123",
					  "env-0123456789abcdeg",
					  "env-0123456789abcdef/",
					  "app-" ID "-" HEX};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(check_key(good[i], &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(check_key(bad[i], &err), -1);
}

static void an_app_has_no_key_of_a_build(void **state)
{
	struct engine_spec spec = app();

	snprintf(spec.key, sizeof(spec.key), "env-0123456789abcdef");
	assert_bad(&spec);
	spec = build();
	snprintf(spec.key, sizeof(spec.key), ID "-1");
	assert_bad(&spec);
}

static void layers_are_names(void **state)
{
	static const char *const bad[] = {"",
					  "..",
					  "../env-0123456789abcdef",
					  "env-",
					  "env-0123456789abcdef/x",
					  "base-0123456789ab",
					  "app-" ID,
					  "app-" ID "-" HEX "0",
					  "app-" ID "/" HEX};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct engine_spec spec = app();

		spec.layers[0] = bad[i];
		assert_bad(&spec);
	}
}

static void logs_are_names(void **state)
{
	static const char *const bad[] = {NULL,          "",          "run-.log",
					  "run-1.log.x", "run-1",     "../run-1.log",
					  "other-1.log", "run-1x.log"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct engine_spec spec = app();

		spec.log = bad[i];
		assert_bad(&spec);
	}
}

static void a_command_starts_with_a_path(void **state)
{
	static const char *const relative[] = {"python3", NULL};
	static const char *const none[] = {NULL};
	struct engine_spec spec = app();

	spec.argv = relative;
	assert_bad(&spec);
	spec.argv = none;
	assert_bad(&spec);
}

static void variables_have_names(void **state)
{
	static const char *const bad[] = {"", "=x", "A", "1A=x", "A B=x", "A-B=x"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct engine_spec spec = app();
		const char *const list[] = {"A=1", bad[i], NULL};

		spec.env = list;
		assert_bad(&spec);
	}
}

static void the_working_directory_is_inside(void **state)
{
	static const char *const bad[] = {NULL, "", "app", "/..", "/home/../../etc"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct engine_spec spec = app();

		spec.cwd = bad[i];
		assert_bad(&spec);
	}
}

static void limits_have_ranges(void **state)
{
	static const struct engine_limits bad[] = {
		{0, UINT64_C(1) << 30, 100, UINT64_C(1) << 30},
		{UINT32_MAX, UINT64_C(1) << 30, 100, UINT64_C(1) << 30},
		{1000, 0, 100, UINT64_C(1) << 30},
		{1000, UINT64_MAX, 100, UINT64_C(1) << 30},
		{1000, UINT64_C(1) << 30, 0, UINT64_C(1) << 30},
		{1000, UINT64_C(1) << 30, 100, 1},
		{1000, UINT64_C(1) << 30, 100, UINT64_MAX},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct engine_spec spec = app();

		spec.limits = bad[i];
		assert_bad(&spec);
	}
}

static void results_and_caches_are_names(void **state)
{
	struct engine_spec spec = build();

	spec.result = "base-0123456789ab";
	assert_bad(&spec);
	spec.result = NULL;
	assert_bad(&spec);
	spec = build();
	spec.cache = "../x";
	assert_bad(&spec);
	spec.cache = NULL;
	assert_bad(&spec);
	spec = app();
	spec.cache = "shared";
	assert_bad(&spec);
	spec = app();
	spec.port = 0;
	assert_bad(&spec);
	spec = app();
	spec.space[0] = 'G';
	assert_bad(&spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_app_and_a_build_pass),
		cmocka_unit_test(secrets_are_part_of_an_apps_environment),
		cmocka_unit_test(a_data_disk_has_a_size_within_bounds),
		cmocka_unit_test(a_space_is_named_by_24_digits),
		cmocka_unit_test(keys_have_a_fixed_form),
		cmocka_unit_test(an_app_has_no_key_of_a_build),
		cmocka_unit_test(layers_are_names),
		cmocka_unit_test(logs_are_names),
		cmocka_unit_test(a_command_starts_with_a_path),
		cmocka_unit_test(variables_have_names),
		cmocka_unit_test(the_working_directory_is_inside),
		cmocka_unit_test(limits_have_ranges),
		cmocka_unit_test(results_and_caches_are_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
