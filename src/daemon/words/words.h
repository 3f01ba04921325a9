#pragma once

#include <stdio.h>

#include "base/err.h"
#include "base/own.h"
#include "space/hardware.h"
#include "store/store.h"

/*
 * Administration words on the store, the hub running or not: `espaced --data DIR user add NAME …`.
 *
 * Each takes what stands behind its word (argv[0] is "add"), works in one transaction, writes an
 * audit row if it changes something, and prints its answer to `out`. What is there already with the
 * same data is left alone and no error. Errors: ERR_INVALID for a wrong use or value, ERR_NOT_FOUND
 * for a name that nobody has, ERR_EXISTS for what is there with other data.
 */

/* user add NAME [--fullname F] [--email E] [--admin] */
must_check int words_user(struct store *store, int argc, char **argv, FILE *out, struct err *err);

/*
 * org add NAME [--fullname F] [--private-by-default] [--member
 * USER:admin|write|contributor|read]... Members of an organisation that is there are compared as
 * far as they are named here.
 *
 * org member NAME USER:admin|write|contributor|read|none
 * Gives a user this role, whichever it had; again changes nothing.
 */
must_check int words_org(struct store *store, int argc, char **argv, FILE *out, struct err *err);

/*
 * token add USER [--role read|write|fine-grained] [--scope repo.read|repo.write:NS[/NAME]]...
 *           [--name N] [--value hf_...]
 * Prints the token alone. Without --role: write, or fine-grained where there is a --scope.
 *
 * token revoke USER NAME
 */
must_check int words_token(struct store *store, int argc, char **argv, FILE *out, struct err *err);

/*
 * audit [--actor A] [--target NS/NAME] [--action X] [--since T] [--until T] [--limit N] [--json]
 * Prints rows of the audit (store/audit.h), newest first, as a table or as lines of JSON. Changes
 * nothing.
 *
 * audit --verify [--head ID:HASH]
 * Verifies their chain (store/chain.h) and prints its head. Errors: ERR_SYSTEM where it is broken.
 */
must_check int words_audit(struct store *store, int argc, char **argv, FILE *out, struct err *err);

/*
 * usage [--from T] [--to T] [--json] [USER|ORG]
 * Prints what Spaces have used of which flavor, and what it costs (space/bill.h), by Space: of all,
 * or of one account. Changes nothing.
 */
must_check int words_usage(struct store *store, int argc, char **argv, FILE *out, struct err *err);

/* What a word gets that looks at the data directory as well. */
struct words_call {
	struct store *store;
	const struct hardware *hardware; /* of hardware.yaml */
	int argc;
	char **argv;
	FILE *out;
};

/*
 * grant USER|ORG --hardware FLAVOR [--hours H | --revoke]
 * Spaces of the account may have the flavor (space/grant.h): without --hours for ever. With
 * --revoke they may not any more, and those that have it go back to cpu-basic.
 */
must_check int words_grant(const struct words_call *call, struct err *err);
