#pragma once

#include <stdbool.h>

#include "repo/change.h"
#include "repo/git.h"

/*
 * Branches and tags of a repository, as people name them. Every change is durable when its function
 * returns, and may run beside others, of ours and of git (ref.h).
 *
 * Names follow git-check-ref-format(1). Refused too are those that something else already means:
 * refs/…, HEAD, 40 hex digits, and what begins like an option of a command.
 *
 * Wire: B8.
 */
enum { REFS_NAME_MAX = 200 };

enum refs_kind { REFS_BRANCH, REFS_TAG, REFS_CONVERT, REFS_PULL };

struct refs_entry {
	const char *name; /* without its prefix: "main", "1" */
	const char *ref;  /* "refs/heads/main", "refs/pr/1" */
	char commit[GIT_HEX];
};

/* Call `each` for all of a kind, by name. What leads to no commit is left out. */
must_check int refs_each(struct git *git, enum refs_kind kind,
			 void (*each)(void *arg, const struct refs_entry *entry), void *arg,
			 struct err *err);

/* How many of a kind there are. */
must_check int refs_count(struct git *git, enum refs_kind kind, size_t *out, struct err *err);

/* Errors: ERR_INVALID. */
must_check int refs_check_name(const char *name, struct err *err);

/*
 * Make a branch at a commit. `overwrite`: or move it there.
 * Errors: ERR_INVALID for the name, ERR_EXISTS.
 */
must_check int refs_make_branch(struct git *git, const char *name, const char *commit,
				bool overwrite, struct err *err);

/* Delete a branch. Errors: ERR_DENIED for main, ERR_NO_REVISION. */
must_check int refs_delete_branch(struct git *git, const char *name, struct err *err);

/*
 * Make a tag at a commit: an annotated one where `meta` says something, else only a name.
 * Errors: ERR_INVALID for the name, ERR_EXISTS.
 */
must_check int refs_make_tag(struct git *git, const char *name, const char *commit,
			     const struct change_meta *meta, struct err *err);

/* Delete a tag. Errors: ERR_NO_REVISION. */
must_check int refs_delete_tag(struct git *git, const char *name, struct err *err);

/* Write a first commit without files, on no branch yet. */
must_check int refs_empty_commit(struct git *git, const struct change_meta *meta,
				 char commit[static GIT_HEX], struct err *err);

/*
 * Replace the history of a branch by one commit of its tree. What it was made of stays in the
 * repository and can be read by its id. Errors: ERR_NO_REVISION where it is no branch.
 */
must_check int refs_squash(struct git *git, const char *branch, const struct change_meta *meta,
			   char commit[static GIT_HEX], struct err *err);
