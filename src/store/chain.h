#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "store/audit.h"
#include "store/store.h"

/*
 * The chain of the audit's rows: each row has the SHA-256 of the hash before it and of all that it
 * says. So a row can't be altered, removed or put in without all later hashes being made anew.
 * Where the chain ends is kept apart from the rows; who keeps that elsewhere too (a head is a line
 * of `espaced audit --verify`) sees even a chain that was made anew.
 *
 * What is hashed is one text of netstrings (LENGTH ":" BYTES ",", cr.yp.to/proto/netstrings.txt):
 * the previous hash, then id, at_ms, actor_id, actor, token_id, token, address, via, request,
 * agent, action, target, detail; numbers in decimal, lengths in bytes. Before row 1 the hash is 64
 * zeros.
 */
void chain_hash(const char previous[static HASH_HEX], const struct audit_row *row,
		char out[static HASH_HEX]);

/* A place in the chain: the last row that belongs to it, and its hash. */
struct chain_head {
	int64_t id; /* 0: no row yet */
	char hash[HASH_HEX];
};

must_check int chain_head(struct store_db *db, struct chain_head *out, struct err *err);

/* `row` is the end of the chain now. In the transaction that has added it. */
must_check int chain_advance(struct store_db *db, const struct audit_row *row, struct err *err);

/* "ID:HASH". Errors: ERR_INVALID. */
must_check int chain_head_parse(const char *text, struct chain_head *out, struct err *err);

struct chain_report {
	int64_t rows; /* that are right, from the first one on */
	int64_t bad_id;
	const char *fault; /* of bad_id, as "was changed"; NULL: the chain is whole */
	struct chain_head head;
};

/*
 * Go through all rows. `kept` is a head that was noted elsewhere, or NULL.
 * What is found is no error: it is in the report.
 */
must_check int chain_verify(struct store_db *db, const struct chain_head *kept,
			    struct chain_report *out, struct err *err);
