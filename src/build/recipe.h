#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/own.h"
#include "build/env.h"
#include "engine/engine.h"

/*
 * Recipe: what runs inside of the build container to make an environment.
 *
 * The container gets the requirements and compile.py in /in (a folder of the hub's run/in/), and
 * argv of its step runner; no shell takes part. In a shared build only uv and our own compile.py
 * run, and wheels are unpacked: package code never does, so what lands in the shared cache can be
 * trusted by everybody. If that can't be, the same is done for the owner alone, with sources.
 *
 * A wheel is compiled to bytecode once, in uv's cache, for all environments (build/compile.py).
 */
struct recipe {
	const char **argv; /* NULL-terminated */
	const char **env;
	size_t argv_count;
	size_t env_count;
	char **texts; /* what the two point to */
	size_t text_count;
};

#define RECIPE_INIT ((struct recipe){0})

/* Fill `spec` (argv, env, cwd, result, cache) for the layer `name`; the recipe must outlive it. */
void recipe_write(const struct env *env, const struct env_base *base, const char *name,
		  const char *cache, struct recipe *out, struct engine_spec *spec);
void recipe_done(struct recipe *recipe);
static inline void own_recipe_done(struct recipe *held)
{
	recipe_done(held);
}

/*
 * Write what the container reads to `folder`, which is replaced: folders 0755, files 0644. Where a
 * line names a path in the repository, its whole tree lies there too.
 */
must_check int recipe_prepare(const struct env *env, const char *git_path, const char *commit,
			      const char *folder, struct err *err);

/* The cache that everybody shares. */
#define RECIPE_SHARED "shared"

/* Does the log of a failed shared build say that it needs sources, so that another try may do? */
bool recipe_needs_sources(const char *log_text);
