#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/name.h"
#include "base/own.h"
#include "store/store.h"

/*
 * Grants: which account's Spaces may have which hardware, and for how long. cpu-basic needs none,
 * and neither does what belongs to an administrator. A grant is the owner's, user or organisation:
 * the ledger charges that account, whoever of its members asked.
 *
 * Hours are use that the ledger counts from the grant on, of all Spaces of the account together.
 *
 * Threads: any; callers bring a transaction or a reading.
 */
enum {
	GRANT_ANY = -1,   /* as a limit: no hours to run out */
	GRANT_NONE = 0,   /* taken back: Spaces that have the hardware lose it */
	GRANT_NOTE = 256, /* room of a note */
};

/* What an administrator decides. */
struct grant {
	int64_t account_id;
	const char *flavor;
	int64_t limit_ms; /* or GRANT_ANY */
};

/* 1 given, 0 there already. Errors: ERR_EXISTS where there is one with other hours. */
must_check int grant_give(struct store_db *db, const struct grant *grant, struct err *err);
/* 1 taken back, 0 there was none. */
must_check int grant_revoke(struct store_db *db, int64_t account_id, const char *flavor,
			    struct err *err);

/* May Spaces of this account have the flavor? Errors: ERR_PAYMENT with a sentence that helps. */
must_check int grant_check(struct store_db *db, int64_t account_id, const char *flavor,
			   struct err *err);

/* A Space whose hardware its owner may not have any more. */
struct grant_spent {
	int64_t repo_id;
	char full_name[FULL_NAME_ROOM];
	char flavor[64];
	char note[GRANT_NOTE]; /* for people */
};

/*
 * Call `each` for those. *next_ms is when the next hours may run out at the earliest, as a time
 * from now on; INT64_MAX for never.
 */
must_check int grant_each_spent(struct store_db *db,
				void (*each)(void *arg, const struct grant_spent *spent), void *arg,
				int64_t *next_ms, struct err *err);

/* What a Space's runtime says about its hardware; "" for nothing. The next wish ends it. */
must_check int grant_set_note(struct store_db *db, int64_t repo_id, const char *note,
			      struct err *err);
must_check int grant_note(struct store_db *db, int64_t repo_id, char out[static GRANT_NOTE],
			  struct err *err);
