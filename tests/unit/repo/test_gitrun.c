#include "temp.h"

#include "repo/gitrun.h"

static void runs_git_on_the_repository(void **state)
{
	static const char *const command[] = {"rev-list", "--count", "main", NULL};
	const struct temp *temp = *state;
	owned(str_done) struct str output = str_new(4096);
	struct err err = ERR_INIT;

	temp_ok(gitrun(&(struct gitrun){.path = temp->path, .command = command, .limit_ms = 60000},
		       &output, &err),
		&err);
	assert_string_equal(output.data, "1\n");
}

static void options_and_input_reach_it(void **state)
{
	static const char *const options[] = {"-c", "core.abbrev=9", NULL};
	static const char *const command[] = {"rev-list", "--abbrev-commit", "--stdin", NULL};
	const struct temp *temp = *state;
	owned(str_done) struct str output = str_new(4096);
	struct err err = ERR_INIT;

	temp_ok(gitrun(&(struct gitrun){.path = temp->path,
					.options = options,
					.command = command,
					.input = "main\n",
					.limit_ms = 60000},
		       &output, &err),
		&err);
	assert_int_equal(output.length, 10);
	assert_memory_equal(output.data, temp->first, 9);
}

static void settings_of_the_machine_do_not_count(void **state)
{
	static const char *const command[] = {"config", "--get", "test.setting", NULL};
	const struct temp *temp = *state;
	owned(str_done) struct str output = str_new(4096);
	struct err err = ERR_INIT;

	assert_int_equal(setenv("GIT_CONFIG_COUNT", "1", 1), 0);
	assert_int_equal(setenv("GIT_CONFIG_KEY_0", "test.setting", 1), 0);
	assert_int_equal(setenv("GIT_CONFIG_VALUE_0", "seen", 1), 0);
	assert_int_equal(
		gitrun(&(struct gitrun){.path = temp->path, .command = command, .limit_ms = 60000},
		       &output, &err),
		-1);
	assert_string_equal(output.data, "");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, temp_setup, temp_teardown)
	const struct CMUnitTest tests[] = {
		CASE(runs_git_on_the_repository),
		CASE(options_and_input_reach_it),
		CASE(settings_of_the_machine_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
