#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "repo/git.h"

/*
 * A commit in the making: additions and deletions are taken in their order, file contents stream into
 * the object database as they arrive, and change_commit() writes the tree, fsyncs, and moves the
 * branch by compare-and-swap. Without a stated parent a branch that moved meanwhile is no error: the
 * operations are applied again on its new head, so that parallel uploads pass (Wire: B2).
 *
 * Threads: as git.h.
 */
struct change;

/* On branch `branch`, which must exist. Errors: ERR_NO_REVISION. */
must_check int change_begin(struct git *git, const char *branch, struct change **out, struct err *err);
/* Abandons what was not committed. Takes NULL. */
void change_end(struct change *change);
DEFINE_OWNED(struct change *, change_end);

/* The commit that the branch must be at (5 to 40 hex digits). Errors: ERR_STALE at once if it isn't. */
must_check int change_expect(struct change *change, const char *parent, struct err *err);

/* A file: open, any number of pieces, close. Errors: ERR_UNPROCESSED for a bad path, ERR_TOO_LARGE. */
must_check int change_file_open(struct change *change, const char *path, struct err *err);
must_check int change_file_data(struct change *change, const void *bytes, size_t length,
				struct err *err);
must_check int change_file_close(struct change *change, struct err *err);

/* Errors at commit: ERR_NO_ENTRY "A file with this name doesn't exist" (Wire: B2). */
must_check int change_delete_file(struct change *change, const char *path, struct err *err);
must_check int change_delete_folder(struct change *change, const char *path, struct err *err);

struct change_meta {
	const char *title;
	const char *description;      /* NULL or "" for none */
	const char *author;           /* user name */
	const char *email;
};

/* Operations so far. */
size_t change_count(const struct change *change);

/*
 * Make the commit. A change that changes nothing answers the head and *moved false (a replay of the
 * same upload passes, Wire: 0.6). Errors: ERR_STALE, ERR_NO_ENTRY, ERR_FULL.
 */
must_check int change_commit(struct change *change, const struct change_meta *meta,
			     char commit[static GIT_HEX], bool *moved, struct err *err);

/* The first commit of a new repository, from files in memory. */
struct change_seed {
	const char *path;
	const char *text;
};
must_check int change_seed(struct git *git, const struct change_seed *files, size_t count,
			   const struct change_meta *meta, char commit[static GIT_HEX],
			   struct err *err);
