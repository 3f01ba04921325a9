#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "repo/git.h"

/*
 * A commit in the making: additions and deletions are taken in their order, file contents stream
 * into a quarantine beside the object database as they arrive, and change_commit() writes the
 * trees, makes all of it durable, lets it into the database and moves the branch by
 * compare-and-swap. What was not committed leaves nothing behind.
 *
 * Without a stated parent a branch that moved meanwhile is no error: the operations are applied to
 * its new head, so that parallel uploads pass (Wire: B2). A change that the branch already holds in
 * its newest commits, by the same author with the same message and the same result, answers that
 * commit: a client that lost our answer may send the same upload again (Wire: 0.6).
 *
 * A file is not put in the place of a folder, nor below a file, unless the same change deletes that
 * first: an upload would take files away that nobody named. Folders that become empty vanish. A
 * file that is replaced keeps its executable bit.
 *
 * Threads: as git.h. Commits to one repository take turns, across threads and processes.
 */
struct change;

enum {
	CHANGE_OPERATIONS_MAX = 100000,
	CHANGE_FILE_MAX_BYTES = 64 << 20, /* default of change_limit_file() */
};

/*
 * On branch `branch`, which must exist; refs/heads/ may stand before its name. Errors:
 * ERR_NO_REVISION, ERR_UNPROCESSED where it is a tag or a commit, to which nothing can be added.
 */
must_check int change_begin(struct git *git, const char *branch, struct change **out,
			    struct err *err);
/* Abandons what was not committed. Takes NULL. */
void change_end(struct change *change);
DEFINE_OWNED(struct change *, change_end);

/* The most bytes that one file may have. */
void change_limit_file(struct change *change, uint64_t max_bytes);

/*
 * The commit that the branch must be at (5 to 40 hex digits). Errors: ERR_INVALID for no such
 * number; ERR_STALE at once if the branch was not even there among its newest commits. Where it
 * was, the change may be one that is repeated, and change_commit() tells ERR_STALE if it is none.
 */
must_check int change_expect(struct change *change, const char *parent, struct err *err);

/*
 * A file: open, any number of pieces, close with its path (Python sends the content before the
 * path). Opening again abandons a file that was not closed. Errors: ERR_UNPROCESSED for a bad path,
 * ERR_TOO_LARGE for too many bytes or operations.
 */
must_check int change_file_open(struct change *change, struct err *err);
must_check int change_file_data(struct change *change, const void *bytes, size_t length,
				struct err *err);
must_check int change_file_close(struct change *change, const char *path, struct err *err);

/*
 * Delete. A file's name may be that of a folder, which JavaScript clients delete in this way; a
 * folder's name may end in "/". Errors: ERR_UNPROCESSED for a bad path, ERR_TOO_LARGE; at commit
 * ERR_NO_ENTRY "A file with this name doesn't exist" (Wire: B2).
 */
must_check int change_delete_file(struct change *change, const char *path, struct err *err);
must_check int change_delete_folder(struct change *change, const char *path, struct err *err);

struct change_meta {
	const char *title;
	const char *description; /* NULL or "" for none */
	const char *author;      /* user name */
	const char *email;       /* NULL or "": AUTHOR@users.noreply.localhost */
};

/* Operations so far. */
size_t change_count(const struct change *change);

/*
 * Make the commit. A change that changes nothing answers the head and *moved false. It can be
 * called once. Errors: ERR_STALE, ERR_NO_ENTRY, ERR_UNPROCESSED for a file in the place of a
 * folder, ERR_FULL.
 */
must_check int change_commit(struct change *change, const struct change_meta *meta,
			     char commit[static GIT_HEX], bool *moved, struct err *err);

/* The first commit of a new repository, from files in memory. Errors: ERR_EXISTS where main exists.
 */
struct change_seed {
	const char *path;
	const char *text;
};
must_check int change_seed(struct git *git, const struct change_seed *files, size_t count,
			   const struct change_meta *meta, char commit[static GIT_HEX],
			   struct err *err);
