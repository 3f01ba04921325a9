#include "space/appenv.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "space/keys.h"

/* The same for every app, whatever its SDK (runtime notes: without them Gradio listens on loopback
 * only, logs come late, and libraries call hosts outside). */
static const char *const fixed[][2] = {
	{"HOME", "/home/user"},
	{"PATH", "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	{"VIRTUAL_ENV", "/opt/venv"},
	{"LANG", "C.UTF-8"},
	{"PYTHONUNBUFFERED", "1"},
	{"PYTHONPATH", "/home/user/app"},
	{"SYSTEM", "spaces"},
	{"HF_HUB_DISABLE_XET", "1"},
	{"HF_HUB_DISABLE_TELEMETRY", "1"},
	{"GRADIO_ANALYTICS_ENABLED", "False"},
	{"GRADIO_SERVER_NAME", "0.0.0.0"},
	{"GRADIO_NUM_PORTS", "1"},
	{"GRADIO_ALLOW_FLAGGING", "never"},
	{"GRADIO_FLAGGING_MODE", "never"},
	{"STREAMLIT_BROWSER_GATHER_USAGE_STATS", "false"},
	{"STREAMLIT_SERVER_ADDRESS", "0.0.0.0"},
	{"STREAMLIT_SERVER_HEADLESS", "true"},
	/* Without it Streamlit asks the world for its address and answers a second later. */
	{"STREAMLIT_BROWSER_SERVER_ADDRESS", "localhost"},
};

static void drop(char *var)
{
	sodium_memzero(var, strlen(var));
	free(var);
}

/* Is `var` NAME=value with this name? */
static bool has_name(const char *var, const char *name)
{
	size_t length = strlen(name);

	return strncmp(var, name, length) == 0 && var[length] == '=';
}

/* Into memory of the right size at once: what asprintf() grows leaves pieces of a secret behind. */
static char *join(const char *name, const char *value)
{
	size_t room = strlen(name) + strlen(value) + sizeof("=");
	char *var = mem_alloc(room);

	snprintf(var, room, "%s=%s", name, value);
	return var;
}

static void take_out(struct appenv *env, const char *name)
{
	for (size_t i = 0; i < env->count; i++) {
		if (!has_name(env->vars[i], name))
			continue;
		drop(env->vars[i]);
		env->count--;
		env->secrets_from -= i < env->secrets_from;
		memmove(env->vars + i, env->vars + i + 1, (env->count - i) * sizeof(*env->vars));
		return;
	}
}

/* At the end, also where it takes the place of another one: there the secrets are. */
static void put(struct appenv *env, const char *name, const char *value)
{
	char *var = join(name, value);

	take_out(env, name);
	env->vars = mem_grow(env->vars, env->count + 2, sizeof(*env->vars));
	env->vars[env->count++] = var;
	env->vars[env->count] = NULL;
}

static void put_number(struct appenv *env, const char *name, unsigned long long number,
		       const char *unit)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu%s", number, unit);
	put(env, name, text);
}

/* What a Space's author has set. */
static void put_users(void *arg, const char *name, const char *value)
{
	if (!str_starts(name, "SPACE_"))
		put(arg, name, value);
}

static void put_space(struct appenv *env, const struct space *space, const char *host)
{
	const char *slash = strchr(space->full_name, '/');
	owned(free) char *owner = mem_text_n(space->full_name, (size_t)(slash - space->full_name));

	put(env, "SPACE_ID", space->full_name);
	put(env, "SPACE_HOST", host);
	put(env, "SPACE_AUTHOR_NAME", owner);
	put(env, "SPACE_REPO_NAME", slash + 1);
	put(env, "SPACE_TITLE", space->plan.title);
	put(env, "SPACE_CREATOR_USER_ID", space->creator_hex);
}

int appenv_make(struct store_db *db, const struct vault *vault, const struct space *space,
		const struct appenv_facts *facts, struct appenv *out, struct err *err)
{
	enum { GIB = 1 << 30, MILLI = 1000 };
	const struct keys keys = {db, space->repo_id, vault};
	owned(appenv_done) struct appenv env = APPENV_INIT;

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		put(&env, fixed[i][0], fixed[i][1]);
	put_number(&env, "CPU_CORES", (facts->cpu_milli + MILLI - 1) / MILLI, "");
	put_number(&env, "MEMORY", facts->memory_bytes / GIB, "Gi");
	put(&env, "ACCELERATOR", facts->accelerator ? facts->accelerator : "none");
	put_number(&env, "GRADIO_SERVER_PORT", space->plan.app_port, "");
	put_number(&env, "STREAMLIT_SERVER_PORT", space->plan.app_port, "");
	put(&env, "HF_ENDPOINT", facts->hub_url);
	if (facts->has_data) /* what it downloads from the hub is there after a restart */
		put(&env, "HF_HOME", "/data/.huggingface");
	put_space(&env, space, facts->host);
	if (keys_each(&keys, KEYS_VARIABLE, put_users, &env, err) < 0)
		return -1;
	env.secrets_from = env.count;
	if (keys_each(&keys, KEYS_SECRET, put_users, &env, err) < 0)
		return -1;
	*out = env;
	env = APPENV_INIT;
	return 0;
}

void appenv_done(struct appenv *env)
{
	for (size_t i = 0; i < env->count; i++)
		drop(env->vars[i]);
	free(env->vars);
	*env = APPENV_INIT;
}

char *appenv_host(const char *slug, const char *domain, uint16_t port)
{
	enum { HTTP_PORT = 80 };

	if (port == HTTP_PORT)
		return mem_format("%s.%s", slug, domain);
	return mem_format("%s.%s:%u", slug, domain, (unsigned)port);
}
