#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "build/recipe.h"
#include "world.h"

static const struct env_base machine = {
	.base = "base-1",
	.python = "/usr/bin/python3.11",
	.python_version = "3.11",
	.uv_version = "0.13.9",
	.index = "http://index.example",
};

static int setup(void **state)
{
	struct world *world = world_new();

	world_put(world, "requirements.txt", "-r sub/more.txt\n", 0644);
	world_put(world, "sub/more.txt", "rich==1\n", 0644);
	world_put(world, "app.py", "", 0644);
	world_commit(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static struct env read_env(struct world *world)
{
	const struct env_wish wish = {.commit = world->commit,
				      .sdk = "gradio",
				      .sdk_version = "6.31.0",
				      .owner = "aaaaaaaaaaaaaaaaaaaaaaaa",
				      .hex = "bbbbbbbbbbbbbbbbbbbbbbbb"};
	struct env env = ENV_INIT;
	struct err err = ERR_INIT;

	world_ok(env_read(world->git, &machine, &wish, &env, &err), &err);
	return env;
}

/* All words of a list in one line. */
static char *joined(const char *const *words)
{
	struct str line = str_new(10000);

	for (; *words; words++)
		str_addf(&line, "%s ", *words);
	return str_take(&line);
}

static void runs_no_package_code_in_a_shared_build(void **state)
{
	owned(env_done) struct env env = read_env(*state);
	owned(recipe_done) struct recipe recipe = RECIPE_INIT;
	struct engine_spec spec = {0};
	owned(free) char *line = NULL;

	recipe_write(&env, &machine, "env-1", RECIPE_SHARED, &recipe, &spec);
	line = joined(spec.argv);
	assert_string_equal(
		line, "/run/steps Creating the environment -- /usr/local/bin/uv venv --quiet"
		      " --relocatable --python /usr/bin/python3.11 /build/out-env-1/opt/venv ;; "
		      "Installing packages -- /usr/local/bin/uv pip install --python"
		      " /build/out-env-1/opt/venv/bin/python --link-mode hardlink --no-build"
		      " -r /in/repo/requirements.txt -- gradio==6.31.0 ;; Compiling bytecode --"
		      " /usr/bin/python3.11 -I -S /in/compile.py /build/cache"
		      " /build/out-env-1/opt/venv/lib/python3.11/site-packages ");
	assert_string_equal(spec.result, "env-1");
	assert_string_equal(spec.cache, RECIPE_SHARED);
}

static void may_build_from_source_for_an_owner(void **state)
{
	owned(env_done) struct env env = read_env(*state);
	owned(recipe_done) struct recipe recipe = RECIPE_INIT;
	struct engine_spec spec = {0};
	owned(free) char *line = NULL;
	owned(free) char *vars = NULL;

	env.needs_tree = true;
	recipe_write(&env, &machine, "env-1", "aaaaaaaaaaaaaaaaaaaaaaaa", &recipe, &spec);
	line = joined(spec.argv);
	assert_null(strstr(line, "--no-build"));
	assert_non_null(strstr(line, "/bin/cp -R /in/repo /tmp/repo"));
	assert_non_null(strstr(line, "--directory /tmp/repo -r /tmp/repo/requirements.txt"));
	vars = joined(spec.env);
	assert_non_null(strstr(vars, "UV_INDEX=http://index.example"));
	assert_null(strstr(vars, "UV_DEFAULT_INDEX"));
}

static void lays_out_what_the_container_reads(void **state)
{
	struct world *world = *state;
	owned(env_done) struct env env = read_env(world);
	owned(free) char *folder = mem_format("%s/in", world->path);
	owned(free) char *more = mem_format("%s/repo/sub/more.txt", folder);
	owned(free) char *compile = mem_format("%s/compile.py", folder);
	owned(free) char *app = mem_format("%s/repo/app.py", folder);
	struct stat st;
	struct err err = ERR_INIT;

	for (int i = 0; i < 2; i++) /* what is there is replaced */
		world_ok(recipe_prepare(&env, world->git_path, world->commit, folder, &err), &err);
	assert_int_equal(stat(more, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(stat(compile, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_false(file_exists(AT_FDCWD, app));
	env.needs_tree = true;
	world_ok(recipe_prepare(&env, world->git_path, world->commit, folder, &err), &err);
	assert_true(file_exists(AT_FDCWD, app));
}

static void knows_when_sources_may_help(void **state)
{
	assert_true(recipe_needs_sources(
		"error: No solution found\nhint: Wheels are required for `docopt` because building"
		" from source is disabled for all packages (i.e., with `--no-build`)\n"));
	assert_false(recipe_needs_sources(
		"  cause: Because x was not found in the package registry and you require x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(runs_no_package_code_in_a_shared_build, setup,
						teardown),
		cmocka_unit_test_setup_teardown(may_build_from_source_for_an_owner, setup,
						teardown),
		cmocka_unit_test_setup_teardown(lays_out_what_the_container_reads, setup, teardown),
		cmocka_unit_test(knows_when_sources_may_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
