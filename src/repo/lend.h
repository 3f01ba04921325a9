#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/own.h"
#include "repo/git.h"
#include "store/store.h"

/*
 * Lending: a duplicate has the branches and tags of its source, and borrows the source's objects
 * (gitrepository-layout(5), objects/info/alternates) instead of copying them. What it takes does
 * not depend on how much there is. Whoever lends loses no object for as long as somebody borrows:
 *
 *   prune    leaves a repository that lends as it is (tidy.h asks lend_is_lent() under its lock);
 *   delete   leaves its files where they are, as one of the `lenders`, until nobody borrows;
 *   objects  are borrowed from the very first lender too, by name, so that no chain is followed.
 */
enum { LEND_MAX = 64 }; /* lenders of one repository */

struct lend {
	char lenders[LEND_MAX][ID_HEX];
	size_t count;
	int held; /* the source's objects: nothing is pruned there */
};

#define LEND_INIT ((struct lend){.held = -1})

/*
 * Make the bare repository at `path`, beside that of `from`, whose id is `hex`; durable but for its
 * own name. Errors: ERR_TOO_LARGE for a duplicate of too many duplicates; what stays then at `path`
 * is the caller's to remove. *out is for lend_done(), after lend_add() was committed.
 */
must_check int lend_make(struct git *from, const char *hex, const char *path, struct lend *out,
			 struct err *err);
void lend_done(struct lend *lend);
static inline void own_lend_done(struct lend *held)
{
	lend_done(held);
}

/* Note whose objects a new repository borrows. */
must_check int lend_add(struct store_db *db, int64_t repo_id, const struct lend *lend,
			struct err *err);

/* 1 somebody borrows from it, 0 nobody, -1 failed. */
must_check int lend_is_lent(struct store_db *db, const char *hex, struct err *err);

/* A repository that lends is deleted: its files stay. */
must_check int lend_keep(struct store_db *db, const char *hex, struct err *err);

/* A deleted repository from which nobody borrows any more: 1 and its id, 0 none, -1 failed. */
must_check int lend_next_free(struct store_db *db, char hex[static ID_HEX], struct err *err);
/* Its files are gone. */
must_check int lend_forget(struct store_db *db, const char *hex, struct err *err);
