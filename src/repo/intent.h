#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "store/audit.h"
#include "store/store.h"

/*
 * Intents: changes of references that are about to be made, with the row that the audit will get.
 * git and the database can't change in one step; so the intent is written first, then the reference
 * is moved, then the audit's row takes the intent's place in one transaction. What a crash leaves
 * between these is settled at the next start.
 *
 * Pushes to main need none: space/sweep.h finds them by the commit.
 */
struct intent {
	int64_t repo_id;
	const char *ref; /* "refs/heads/dev" */
	const char *old; /* the commit that it leads to before; "" for none */
};

/* *id names it for intent_remove(). */
must_check int intent_add(struct store_db *db, const struct intent *intent,
			  const struct audit_entry *entry, int64_t *id, struct err *err);
must_check int intent_remove(struct store_db *db, int64_t id, struct err *err);

/*
 * Before the first call is served: write the rows of those whose reference is not where it was, and
 * forget the others. *written: rows of the audit.
 */
must_check int intent_settle(struct store *store, const struct datadir *dir, size_t *written,
			     struct err *err);
