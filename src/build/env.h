#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "repo/git.h"

/*
 * Environment: what an app's packages depend on, and the name of the layer that holds them.
 *
 * Two Spaces whose name is equal share the layer, across owners, if every line of their
 * requirements asks the registry for a package: such a layer is built from wheels, and no package's
 * code runs. A line that names a path, a URL, a repository or another index leads to a layer of the
 * owner's own, in whose build package code may run.
 *
 * The name depends on: base system, Python, uv, SDK and its version, indexes, requirements.txt,
 * pre-requirements.txt and every file that they include; on the week if anything is unpinned; on
 * the owner where it isn't shared; on the commit where a line names a path in the repository; on
 * the Space and the count of its factory restarts, if there was one.
 */
enum {
	ENV_NAME_ROOM = 48, /* "env-", 40 hex digits, NUL */
	ENV_FILES_MAX = 32, /* that requirements may include */
	ENV_DEPTH_MAX = 8,
	ENV_FILE_BYTES_MAX = 512 * 1024,
	ENV_WEEK_S = 7 * 24 * 3600, /* unpinned packages are looked up again after that */
};

/* The machine's side: what all environments have in common. */
struct env_base {
	const char *base;           /* name of the base system's layer; the space loop fills it */
	const char *python;         /* path inside of the base, "/usr/bin/python3.11" */
	const char *python_version; /* "3.11" */
	const char *uv_version;
	const char *default_index; /* URL for uv, NULL for its own default */
	const char *index;         /* further ones, separated by spaces; NULL for none */
};

/* The Space's side. */
struct env_wish {
	const char *commit;
	const char *sdk;         /* "gradio" */
	const char *sdk_version; /* "" for the newest */
	bool hf_oauth;           /* the SDK's extra for signing in is needed */
	const char *owner;       /* 24 hex digits */
	const char *hex;         /* of the Space */
	int64_t factory;         /* how often it was built anew */
	int64_t now_s;           /* wall clock, for the week */
};

struct env_file {
	char *path; /* in the repository */
	char *text;
	size_t length;
};

struct env {
	char shared[ENV_NAME_ROOM]; /* layer for everybody; "" if the lines rule it out */
	char own[ENV_NAME_ROOM];    /* layer of the owner */
	bool needs_tree;            /* a line names a path in the repository */
	bool has_requirements;      /* requirements.txt is there */
	bool has_pre_requirements;
	char *sdk_line; /* requirement for the SDK itself, "gradio==6.31.0" */
	struct env_file files[ENV_FILES_MAX];
	size_t file_count;
};

#define ENV_INIT ((struct env){0})

/*
 * Read the requirements of a commit and name the environment.
 * Errors: ERR_INVALID with file and line, for what can never be built; ERR_TOO_LARGE.
 */
must_check int env_read(struct git *git, const struct env_base *base, const struct env_wish *wish,
			struct env *out, struct err *err);
void env_done(struct env *env);
static inline void own_env_done(struct env *held)
{
	env_done(held);
}
