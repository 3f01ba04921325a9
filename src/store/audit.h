#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "store/store.h"

/*
 * The audit trail: one row for each change that somebody made. Rows are only ever added.
 *
 * Who makes a change calls audit_add() in the transaction of that change, so that neither is there
 * without the other.
 */
struct audit_entry {
	int64_t actor_id;   /* account; 0: the administration words or the hub itself */
	int64_t token_id;   /* 0: none */
	const char *action; /* dotted, such as "repo.create" or "token.revoke" */
	const char *target; /* name of what was changed, such as "spaces/me/demo" */
	const char *detail; /* what a reader would ask next, or NULL; never a secret */
};

/* Errors: ERR_FULL, ERR_SYSTEM. */
must_check int audit_add(struct store_db *db, const struct audit_entry *entry, struct err *err);
