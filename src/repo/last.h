#pragma once

#include "repo/git.h"

/*
 * Which commit has changed a path last: the one that `git log -1 COMMIT -- PATH` shows.
 *
 * One walk for all paths, that compares trees: a folder whose id is the same in a commit and its
 * parent is not looked into. Where a merge has taken a path as it was in one of its parents, the
 * walk follows that parent. It ends when each path has its commit, or when it has done
 * the work that it may.
 *
 * Wire: B7 `lastCommit`.
 */

struct last_path {
	const char *path;
	char commit[GIT_HEX]; /* the answer; "" where there is no such path or it took too long */
};

struct last_query {
	struct last_path *paths;
	size_t count;
	/* How many entries of folders may be looked at, about 50 ns each. A commit counts as 200,
	 * and a folder that is asked about as 20 in each commit. */
	int64_t work_max;
};

/* Fill the commits of all paths. Errors: ERR_NO_REVISION. */
must_check int last_find(struct git *git, const char *commit, const struct last_query *query,
			 struct err *err);
