#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"
#include "base/err.h"
#include "base/own.h"
#include "store/store.h"

/*
 * Tokens of users. Only a SHA-256 is stored: who has lost a token makes another. That is enough
 * without salt or stretching, because a minted token has 202 bits; who imports a weak one has
 * chosen it for a test.
 *
 * Wire: A1.
 */

/* Room for the longest value that is accepted: "hf_" and 60 of [A-Za-z0-9_]. */
enum { TOKEN_ROOM = 64 };

/* A new value, "hf_" and 34 letters and digits, as clients expect it. */
void token_mint(char out[static TOKEN_ROOM]);
bool token_is_valid(const char *value);

/*
 * "read", "write", "fineGrained": as on the wire and in the store. Parsing takes "fine-grained"
 * too. Errors: ERR_INVALID.
 */
const char *token_role_name(enum auth_role role);
must_check int token_role_parse(const char *text, enum auth_role *out, struct err *err);

struct token_spec {
	const char *value; /* NULL: mint one */
	const char *name;  /* plain ASCII without ']'; NULL: "token-" and six hex digits */
	enum auth_role role;
	const char *const *scopes; /* as scope_parse() takes them; AUTH_FINE_GRAINED only */
};

/*
 * Store a token of a user; its value is written to `out`. Importing one that is there with the same
 * data changes nothing; a spec without a name leaves the name open then.
 * Returns 1 if a row was added, 0 if it was there.
 * Errors: ERR_INVALID; ERR_EXISTS for a value that is there with other data, of another user or
 * revoked, and for a second token of that name.
 */
must_check int token_add(struct store_db *db, int64_t user_id, const struct token_spec *spec,
			 char out[static TOKEN_ROOM], struct err *err);

/* 1 found among those of the user that are not revoked, 0 none, -1 failed. */
must_check int token_find(struct store_db *db, int64_t user_id, const char *name, int64_t *out,
			  struct err *err);

/* From the end of the transaction on, it is no token any more. Again is no error. */
must_check int token_revoke(struct store_db *db, int64_t token_id, struct err *err);

/* What the store knows a value by. Inside of auth/. */
enum { TOKEN_HASH_ROOM = 65 };
void token_hash(const char *value, char out[static TOKEN_HASH_ROOM]);
