#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "build/env.h"
#include "world.h"

static int setup(void **state)
{
	struct world *world = world_new();

	world_put(world, "app.py", "", 0644);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static const struct env_base machine = {
	.base = "base-1",
	.python = "/usr/bin/python3.11",
	.python_version = "3.11",
	.uv_version = "0.13.9",
};

static struct env_wish wish_of(const struct world *world)
{
	return (struct env_wish){
		.commit = world->commit,
		.sdk = "gradio",
		.sdk_version = "6.31.0",
		.owner = "aaaaaaaaaaaaaaaaaaaaaaaa",
		.hex = "bbbbbbbbbbbbbbbbbbbbbbbb",
		.now_s = (int64_t)1000 * ENV_WEEK_S,
	};
}

static struct env read_wish(struct world *world, const struct env_wish *wish)
{
	struct env env = ENV_INIT;
	struct err err = ERR_INIT;

	world_ok(env_read(world->git, &machine, wish, &env, &err), &err);
	return env;
}

/* The name of the environment that requirements.txt leads to; "own" ones begin with a '!'. */
static char *name_of(struct world *world, const char *requirements)
{
	owned(env_done) struct env env = ENV_INIT;
	struct env_wish wish;

	world_put(world, "requirements.txt", requirements, 0644);
	world_commit(world);
	wish = wish_of(world);
	env = read_wish(world, &wish);
	return *env.shared ? mem_text(env.shared) : mem_format("!%s", env.own);
}

static void expect_error(struct world *world, const char *part)
{
	struct env env = ENV_INIT;
	struct env_wish wish;
	struct err err = ERR_INIT;

	world_commit(world);
	wish = wish_of(world);
	assert_int_equal(env_read(world->git, &machine, &wish, &env, &err), -1);
	if (!strstr(err.text, part))
		fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void has_the_same_name_for_the_same_wish(void **state)
{
	struct world *world = *state;
	owned(free) char *one = name_of(world, "numpy==2.4.6\n");
	owned(free) char *other = NULL;

	world_put(world, "app.py", "print('another app')", 0644);
	other = name_of(world, "numpy==2.4.6\n");
	assert_string_equal(one, other);
	assert_int_equal(strlen(one), 44);
	assert_memory_equal(one, "env-", 4);
}

static void has_another_name_for_other_requirements(void **state)
{
	owned(free) char *one = name_of(*state, "numpy==2.4.6\n");
	owned(free) char *other = name_of(*state, "numpy==2.4.5\n");
	owned(free) char *none = name_of(*state, NULL);

	assert_string_not_equal(one, other);
	assert_string_not_equal(one, none);
}

static void depends_on_each_part_of_machine_and_wish(void **state)
{
	struct world *world = *state;
	struct env_base bases[] = {machine, machine, machine, machine, machine, machine};
	owned(env_done) struct env plain = ENV_INIT;
	struct env_wish wish;

	world_commit(world);
	wish = wish_of(world);
	plain = read_wish(world, &wish);
	bases[1].base = "base-2";
	bases[2].python_version = "3.12";
	bases[3].uv_version = "0.14";
	bases[4].default_index = "http://index.example";
	bases[5].index = "http://index.example";
	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		owned(env_done) struct env env = ENV_INIT;
		struct err err = ERR_INIT;

		world_ok(env_read(world->git, &bases[i], &wish, &env, &err), &err);
		assert_int_equal(strcmp(env.shared, plain.shared) != 0, i != 0);
	}
}

static void depends_on_sdk_version_and_sign_in(void **state)
{
	struct world *world = *state;
	struct env_wish wish;
	owned(env_done) struct env plain = ENV_INIT;
	owned(env_done) struct env version = ENV_INIT;
	owned(env_done) struct env oauth = ENV_INIT;

	world_commit(world);
	wish = wish_of(world);
	plain = read_wish(world, &wish);
	assert_string_equal(plain.sdk_line, "gradio==6.31.0");
	wish.hf_oauth = true;
	oauth = read_wish(world, &wish);
	assert_string_equal(oauth.sdk_line, "gradio[oauth]==6.31.0");
	wish.sdk_version = "";
	wish.hf_oauth = false;
	version = read_wish(world, &wish);
	assert_string_equal(version.sdk_line, "gradio");
	assert_string_not_equal(plain.shared, version.shared);
	assert_string_not_equal(plain.shared, oauth.shared);
}

/* Is the name another one a week later? */
static bool ages(struct world *world, const char *requirements)
{
	owned(env_done) struct env now = ENV_INIT;
	owned(env_done) struct env later = ENV_INIT;
	struct env_wish wish;

	world_put(world, "requirements.txt", requirements, 0644);
	world_commit(world);
	wish = wish_of(world);
	now = read_wish(world, &wish);
	wish.now_s += ENV_WEEK_S;
	later = read_wish(world, &wish);
	return strcmp(now.own, later.own) != 0;
}

static void ages_by_the_week_if_anything_is_unpinned(void **state)
{
	assert_false(ages(*state, "numpy==2.4.6\npandas===3\n# x\n\nrich==1 ; python_version>'3'"));
	assert_false(ages(*state, "numpy==2.4.6 \\\n  --hash=sha256:00\n"));
	assert_true(ages(*state, "numpy\n"));
	assert_true(ages(*state, "numpy>=2\n"));
	assert_true(ages(*state, "numpy==2.*\n"));
	assert_true(ages(*state, "numpy!=2\n"));
	assert_true(ages(*state, "numpy==2.4.6\nrich\n"));
	assert_true(ages(*state, "rich; python_version=='3.11'\n"));
}

static void is_shared_only_for_packages_of_the_registry(void **state)
{
	static const char *const shared[] = {"numpy==1\n",
					     "numpy[extra]==1 ; sys_platform == 'linux/x'\n",
					     "--pre\nnumpy==1\n",
					     "# git+https://x\n",
					     "numpy==1 # ./x\n",
					     "numpy==1\r\nrich==2\r\n",
					     ""};
	static const char *const own[] = {"./local\n",
					  ".\n",
					  "-e .\n",
					  "--editable=./x\n",
					  "x.whl\n",
					  "dir/x.tar.gz\n",
					  "git+https://h/r\n",
					  "x @ https://h/x.whl\n",
					  "x@file:///tmp\n",
					  "/abs\n",
					  "--index-url http://h\n",
					  "-i http://h\n",
					  "--extra-index-url=http://h\n",
					  "--find-links x\n",
					  "--no-binary :all:\n",
					  "numpy==1 \\\n\n-e.\n"};

	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
		owned(free) char *name = name_of(*state, shared[i]);

		if (*name == '!')
			fail_msg("not shared: %s", shared[i]);
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		owned(free) char *name = name_of(*state, own[i]);

		if (*name != '!')
			fail_msg("shared: %s", own[i]);
	}
}

static void names_an_owners_layer_by_owner_and_a_local_one_by_commit(void **state)
{
	struct world *world = *state;
	owned(env_done) struct env one = ENV_INIT;
	owned(env_done) struct env other = ENV_INIT;
	owned(env_done) struct env next = ENV_INIT;
	struct env_wish wish;

	world_put(world, "requirements.txt", "./local\n", 0644);
	world_commit(world);
	wish = wish_of(world);
	one = read_wish(world, &wish);
	assert_true(one.needs_tree);
	wish.owner = "cccccccccccccccccccccccc";
	other = read_wish(world, &wish);
	assert_string_not_equal(one.own, other.own);
	world_put(world, "local/setup.py", "x", 0644);
	world_commit(world);
	wish = wish_of(world);
	next = read_wish(world, &wish);
	assert_string_not_equal(one.own, next.own);
}

static void is_built_anew_for_one_space_after_a_factory_restart(void **state)
{
	struct world *world = *state;
	owned(env_done) struct env plain = ENV_INIT;
	owned(env_done) struct env anew = ENV_INIT;
	owned(env_done) struct env other = ENV_INIT;
	struct env_wish wish;

	world_commit(world);
	wish = wish_of(world);
	plain = read_wish(world, &wish);
	wish.factory = 1;
	anew = read_wish(world, &wish);
	wish.hex = "dddddddddddddddddddddddd";
	other = read_wish(world, &wish);
	assert_string_not_equal(plain.shared, anew.shared);
	assert_string_not_equal(anew.shared, other.shared);
}

static void follows_includes_and_ends_in_a_cycle(void **state)
{
	struct world *world = *state;
	owned(env_done) struct env env = ENV_INIT;
	owned(free) char *before = NULL;
	owned(free) char *after = NULL;
	struct env_wish wish;

	world_put(world, "sub/more.txt", "-r ../requirements.txt\n-r./last.txt\n", 0644);
	world_put(world, "sub/last.txt", "rich==1\n", 0644);
	before = name_of(world, "-rsub/more.txt\n--constraint=sub/last.txt # again\n");
	wish = wish_of(world);
	env = read_wish(world, &wish);
	assert_int_equal(env.file_count, 3);
	assert_string_equal(env.files[1].path, "sub/more.txt");
	world_put(world, "sub/last.txt", "rich==2\n", 0644);
	after = name_of(world, "-rsub/more.txt\n--constraint=sub/last.txt # again\n");
	assert_string_not_equal(before, after);
}

static void refuses_what_lies_outside_or_is_missing(void **state)
{
	struct world *world = *state;
	static const char *const outside[] = {"-r /etc/passwd\n", "-r ../x\n", "-r a/../../x\n",
					      "-c http://h/x\n"};

	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
		world_put(world, "requirements.txt", outside[i], 0644);
		expect_error(world, "outside of the repository");
	}
	world_put(world, "requirements.txt", "-r nope.txt\n", 0644);
	expect_error(world, "nope.txt, which does not exist");
	world_put(world, "requirements.txt", "-r .git/config\n", 0644);
	expect_error(world, "which is no path");
	world_put(world, "requirements.txt", "-r\n", 0644);
	expect_error(world, "no path");
}

static void limits_how_deep_and_how_many(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 12; i++) {
		owned(free) char *path = mem_format("r%d.txt", i);
		owned(free) char *text = mem_format("-r r%d.txt\n", i + 1);

		world_put(world, path, text, 0644);
	}
	world_put(world, "requirements.txt", "-r r0.txt\n", 0644);
	expect_error(world, "too many files");
}

static void refuses_debian_packages_for_now(void **state)
{
	struct world *world = *state;
	owned(free) char *name = NULL;

	world_put(world, "packages.txt", "# nothing\n\n", 0644);
	name = name_of(world, "");
	world_put(world, "packages.txt", "# one\nffmpeg\n", 0644);
	expect_error(world, "packages.txt is not supported yet");
}

static void refuses_a_version_that_is_none(void **state)
{
	struct world *world = *state;
	struct env env = ENV_INIT;
	struct env_wish wish;
	struct err err = ERR_INIT;

	world_commit(world);
	wish = wish_of(world);
	wish.sdk_version = "6 --index-url http://h";
	assert_int_equal(env_read(world->git, &machine, &wish, &env, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(has_the_same_name_for_the_same_wish),
		TEST(has_another_name_for_other_requirements),
		TEST(depends_on_each_part_of_machine_and_wish),
		TEST(depends_on_sdk_version_and_sign_in),
		TEST(ages_by_the_week_if_anything_is_unpinned),
		TEST(is_shared_only_for_packages_of_the_registry),
		TEST(names_an_owners_layer_by_owner_and_a_local_one_by_commit),
		TEST(is_built_anew_for_one_space_after_a_factory_restart),
		TEST(follows_includes_and_ends_in_a_cycle),
		TEST(refuses_what_lies_outside_or_is_missing),
		TEST(limits_how_deep_and_how_many),
		TEST(refuses_debian_packages_for_now),
		TEST(refuses_a_version_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
