#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "repo/git.h"
#include "repo/listing.h"
#include "repo/repo.h"
#include "store/store.h"

/*
 * Digest: what lists show of a repository, read from the front matter of its README, and how it
 * becomes rows together with the news for its Space. A front matter that is no YAML counts as none:
 * whoever reads a repository can't mend it, and a Space's push is judged by its build.
 *
 * Tags are derived as on the real Hub: SDK, library, task and languages, the card's own tags,
 * "license:mit", "dataset:…", "task_categories:…" and their like, and "region:us".
 *
 * Wire: A6, A7.
 */
enum {
	DIGEST_TAGS_MAX = 200,  /* the first of them count */
	DIGEST_TAG_BYTES = 128, /* longer ones are no tags */
};

/* Of any commit. `repo` gives type and sdk. */
must_check int digest_read(struct git *git, const struct repo *repo, const char *commit,
			   struct listing *out, struct err *err);

/* Of main as it is now; empty where it has no commit. */
must_check int digest_head(struct git *git, const struct repo *repo, struct listing *out,
			   struct err *err);

/*
 * Write the rows of main inside of a transaction, by a listing that digest_head() has made before
 * it; it is made anew if main has moved since, so that of two pushes at once the rows of the later
 * one stay. A Space hears of a head that it does not know, and then *told becomes true: its loop
 * is to be woken after the transaction.
 */
must_check int digest_write(struct store_db *db, struct git *git, const struct repo *repo,
			    struct listing *listing, bool *told, struct err *err);
