#include "build/recipe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "build/app.h"
#include "build/compile_py.h"

/* Paths inside of the container: engine/engine.h. */
static const char steps_path[] = "/run/steps";
static const char uv_path[] = "/usr/local/bin/uv";
static const char cache_path[] = "/build/cache";
static const char in_path[] = "/in/repo";
/* A package in the repository is built in a copy: builds write beside their sources. */
static const char copy_path[] = "/tmp/repo";

static void add_text(struct recipe *recipe, const char ***list, size_t *count, char *text)
{
	recipe->texts = mem_grow(recipe->texts, recipe->text_count + 1, sizeof(*recipe->texts));
	recipe->texts[recipe->text_count++] = text;
	*list = mem_grow(*list, *count + 2, sizeof(**list));
	(*list)[(*count)++] = text;
	(*list)[*count] = NULL;
}

static void add_arg(struct recipe *recipe, const char *text)
{
	add_text(recipe, &recipe->argv, &recipe->argv_count, mem_text(text));
}

static void add_args(struct recipe *recipe, const char *const *texts)
{
	for (size_t i = 0; texts[i]; i++)
		add_arg(recipe, texts[i]);
}

static void add_env(struct recipe *recipe, const char *name, const char *value)
{
	add_text(recipe, &recipe->env, &recipe->env_count, mem_format("%s=%s", name, value));
}

static void begin_step(struct recipe *recipe, const char *label)
{
	if (recipe->argv_count > 1)
		add_arg(recipe, ";;");
	add_arg(recipe, label);
	add_arg(recipe, "--");
}

static void add_file(struct recipe *recipe, const char *folder, const char *name)
{
	owned(free) char *path = mem_format("%s/%s", folder, name);

	add_arg(recipe, "-r");
	add_arg(recipe, path);
}

static void add_install(struct recipe *recipe, const struct env *env, const char *python,
			bool shared)
{
	const char *const fixed[] = {uv_path, "pip",         "install",  "--python",
				     python,  "--link-mode", "hardlink", NULL};
	const char *folder = env->needs_tree ? copy_path : in_path;

	begin_step(recipe, "Installing packages");
	add_args(recipe, fixed);
	if (shared)
		add_arg(recipe, "--no-build");
	if (env->needs_tree) { /* "./package" is meant from the root of the repository */
		add_arg(recipe, "--directory");
		add_arg(recipe, folder);
	}
	if (env->has_pre_requirements)
		add_file(recipe, folder, "pre-requirements.txt");
	if (env->has_requirements)
		add_file(recipe, folder, "requirements.txt");
	add_arg(recipe, "--");
	add_arg(recipe, env->sdk_line);
}

static void add_steps(struct recipe *recipe, const struct env *env, const struct env_base *base,
		      const char *name, bool shared)
{
	owned(free) char *venv = mem_format("/build/out-%s/opt/venv", name);
	owned(free) char *python = mem_format("%s/bin/python", venv);
	owned(free) char *site =
		mem_format("%s/lib/python%s/site-packages", venv, base->python_version);
	const char *const create[] = {uv_path,    "venv",       "--quiet", "--relocatable",
				      "--python", base->python, venv,      NULL};
	const char *const compile[] = {base->python, "-I", "-S", "/in/compile.py",
				       cache_path,   site, NULL};
	const char *const copy[] = {"/bin/cp", "-R", in_path, copy_path, NULL};

	add_arg(recipe, steps_path);
	begin_step(recipe, "Creating the environment");
	add_args(recipe, create);
	if (env->needs_tree) {
		begin_step(recipe, "Copying the repository");
		add_args(recipe, copy);
	}
	add_install(recipe, env, python, shared);
	begin_step(recipe, "Compiling bytecode");
	add_args(recipe, compile);
}

static void add_environment(struct recipe *recipe, const struct env_base *base)
{
	add_env(recipe, "HOME", "/tmp");
	add_env(recipe, "PATH", "/usr/local/bin:/usr/bin:/bin");
	add_env(recipe, "LANG", "C.UTF-8");
	add_env(recipe, "SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
	add_env(recipe, "UV_CACHE_DIR", cache_path);
	add_env(recipe, "UV_NO_CONFIG", "1");
	add_env(recipe, "UV_NO_PROGRESS", "1");
	add_env(recipe, "UV_PYTHON_DOWNLOADS", "never");
	if (base->default_index)
		add_env(recipe, "UV_DEFAULT_INDEX", base->default_index);
	if (base->index)
		add_env(recipe, "UV_INDEX", base->index);
}

void recipe_write(const struct env *env, const struct env_base *base, const char *name,
		  const char *cache, struct recipe *out, struct engine_spec *spec)
{
	struct recipe recipe = RECIPE_INIT;

	add_steps(&recipe, env, base, name, strcmp(cache, RECIPE_SHARED) == 0);
	add_environment(&recipe, base);
	*out = recipe;
	spec->argv = out->argv;
	spec->env = out->env;
	spec->cwd = "/tmp";
	spec->result = name;
	spec->cache = cache;
}

void recipe_done(struct recipe *recipe)
{
	for (size_t i = 0; i < recipe->text_count; i++)
		free(recipe->texts[i]);
	free(recipe->texts);
	free(recipe->argv);
	free(recipe->env);
	*recipe = RECIPE_INIT;
}

/* A file that the container's user may read, below `folder`. Not durable: the folder is a tmpfs. */
static int put_file(const char *folder, const char *path, const char *text, size_t length,
		    struct err *err)
{
	owned(free) char *whole = mem_format("%s/%s", folder, path);
	char *slash = strrchr(whole, '/');
	owned(close) int fd = -1;

	*slash = '\0';
	if (file_make_dirs(AT_FDCWD, whole, 0755, err) < 0)
		return -1;
	*slash = '/';
	fd = open(whole, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || fchmod(fd, 0644) < 0)
		return err_sys(err, "write %s for the build", path);
	return file_put(fd, text, length, err);
}

int recipe_prepare(const struct env *env, const char *git_path, const char *commit,
		   const char *folder, struct err *err)
{
	owned(free) char *repo = mem_format("%s/repo", folder);

	if (file_remove_tree(AT_FDCWD, folder, err) < 0 ||
	    file_make_dirs(AT_FDCWD, folder, 0755, err) < 0 ||
	    put_file(folder, "compile.py", compile_py, strlen(compile_py), err) < 0)
		return -1;
	if (env->needs_tree)
		return app_write(git_path, commit, repo, err);
	for (size_t i = 0; i < env->file_count; i++)
		if (put_file(repo, env->files[i].path, env->files[i].text, env->files[i].length,
			     err) < 0)
			return -1;
	return 0;
}

bool recipe_needs_sources(const char *log_text)
{
	/* uv's hint at a package that has no wheel for us; a package or version that does not
	 * exist has no such hint, and a second try would only say the same again. */
	return strstr(log_text, "building from source is disabled") != NULL;
}
