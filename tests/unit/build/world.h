#pragma once

#include "base/err.h"
#include "repo/git.h"

/* A folder of its own with a git repository, for tests of what reads commits. */
struct world {
	char *path;           /* the folder */
	char *git_path;       /* bare repository */
	char commit[GIT_HEX]; /* of the last world_commit() */
	struct git *git;
};

struct world *world_new(void);
void world_free(struct world *world);

/* Fail the test where `result` is not 0. */
void world_ok(int result, const struct err *err);

/* A file of the next commit; a mode of 0 makes a link to `text`. NULL removes it. */
void world_put(struct world *world, const char *path, const char *text, unsigned mode);
void world_commit(struct world *world);
