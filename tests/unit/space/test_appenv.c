#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "space/appenv.h"
#include "space/keys.h"
#include "world.h"

static struct appenv_facts facts = {
	.host = "me-x.localhost:8080",
	.hub_url = "http://hub.espace:8080",
	.cpu_milli = 1500,
	.memory_bytes = UINT64_C(16) << 30,
};

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

/* The value of a variable that stands exactly once, or NULL. */
static const char *value_of(const struct appenv *env, const char *name)
{
	const char *value = NULL;
	size_t length = strlen(name);

	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->vars[i], name, length) == 0 && env->vars[i][length] == '=') {
			assert_null(value);
			value = env->vars[i] + length + 1;
		}
	return value;
}

static struct appenv make(struct world *world, const struct repo *repo)
{
	struct space space = world_get(world, repo->id);
	owned(store_read_end) struct store_read *read = NULL;
	struct appenv env = APPENV_INIT;
	struct err err = ERR_INIT;

	space.plan.app_port = 7860;
	world_ok(store_read_begin(world->store, &read, &err), &err);
	world_ok(appenv_make(store_read_db(read), world->vault, &space, &facts, &env, &err), &err);
	return env;
}

static void tells_an_app_where_it_is(void **state)
{
	struct repo repo = world_space(*state, "x");
	owned(appenv_done) struct appenv env = make(*state, &repo);

	assert_string_equal(value_of(&env, "SPACE_ID"), "me/x");
	assert_string_equal(value_of(&env, "SPACE_HOST"), "me-x.localhost:8080");
	assert_string_equal(value_of(&env, "SPACE_AUTHOR_NAME"), "me");
	assert_string_equal(value_of(&env, "SPACE_REPO_NAME"), "x");
	assert_string_equal(value_of(&env, "SPACE_CREATOR_USER_ID"), "0a0a0a0a0a0a0a0a0a0a0a0a");
	assert_string_equal(value_of(&env, "SYSTEM"), "spaces");
	assert_string_equal(value_of(&env, "CPU_CORES"), "2");
	assert_string_equal(value_of(&env, "MEMORY"), "16Gi");
	assert_string_equal(value_of(&env, "ACCELERATOR"), "none");
	assert_string_equal(value_of(&env, "HF_ENDPOINT"), "http://hub.espace:8080");
	assert_string_equal(value_of(&env, "GRADIO_SERVER_NAME"), "0.0.0.0");
	assert_string_equal(value_of(&env, "GRADIO_SERVER_PORT"), "7860");
	assert_null(value_of(&env, "HF_TOKEN"));
	assert_null(env.vars[env.count]);
}

static void tells_an_app_its_accelerator(void **state)
{
	struct repo repo = world_space(*state, "x");

	facts.accelerator = "t4-small";
	owned(appenv_done) struct appenv env = make(*state, &repo);

	facts.accelerator = NULL;
	assert_string_equal(value_of(&env, "ACCELERATOR"), "t4-small");
}

static void lets_the_author_win_except_over_the_names_of_the_platform(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "x");
	struct store_tx *tx = world_begin(world);
	const struct keys keys = {store_tx_db(tx), repo.id, world->vault};
	struct err err = ERR_INIT;
	owned(appenv_done) struct appenv env = APPENV_INIT;

	world_ok(keys_set(&keys, KEYS_VARIABLE, &(struct keys_entry){"CPU_CORES", "1", NULL}, &err),
		 &err);
	world_ok(
		keys_set(&keys, KEYS_SECRET, &(struct keys_entry){"SPACE_ID", "you/y", NULL}, &err),
		&err);
	world_commit(tx);
	env = make(world, &repo);
	assert_string_equal(value_of(&env, "CPU_CORES"), "1");
	assert_string_equal(value_of(&env, "SPACE_ID"), "me/x");
}

static bool is_secret(const struct appenv *env, const char *variable)
{
	for (size_t i = env->secrets_from; i < env->count; i++)
		if (strcmp(env->vars[i], variable) == 0)
			return true;
	return false;
}

static void keeps_secrets_apart_behind_all_others(void **state)
{
	struct world *world = *state;
	struct repo repo = world_space(world, "x");
	owned(appenv_done) struct appenv none = make(world, &repo);
	struct store_tx *tx = world_begin(world);
	const struct keys keys = {store_tx_db(tx), repo.id, world->vault};
	struct err err = ERR_INIT;
	owned(appenv_done) struct appenv env = APPENV_INIT;

	world_ok(keys_set(&keys, KEYS_SECRET, &(struct keys_entry){"A", "1", NULL}, &err), &err);
	/* It takes the place of one of the platform. */
	world_ok(keys_set(&keys, KEYS_SECRET, &(struct keys_entry){"LANG", "C", NULL}, &err), &err);
	world_ok(keys_set(&keys, KEYS_VARIABLE, &(struct keys_entry){"B", "2", NULL}, &err), &err);
	world_commit(tx);
	env = make(world, &repo);
	assert_int_equal(none.secrets_from, none.count);
	assert_int_equal(env.count - env.secrets_from, 2);
	assert_true(is_secret(&env, "A=1") && is_secret(&env, "LANG=C"));
	assert_string_equal(value_of(&env, "LANG"), "C");
	assert_string_equal(value_of(&env, "B"), "2");
	assert_null(env.vars[env.count]);
}

static void writes_no_port_where_it_is_the_usual_one(void **state)
{
	owned(free) char *usual = appenv_host("me-x", "example.org", 80);
	owned(free) char *other = appenv_host("me-x", "example.org", 8080);

	assert_string_equal(usual, "me-x.example.org");
	assert_string_equal(other, "me-x.example.org:8080");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells_an_app_where_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_an_app_its_accelerator, setup, teardown),
		cmocka_unit_test_setup_teardown(
			lets_the_author_win_except_over_the_names_of_the_platform, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_secrets_apart_behind_all_others, setup,
						teardown),
		cmocka_unit_test(writes_no_port_where_it_is_the_usual_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
