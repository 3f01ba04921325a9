#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"
#include "base/err.h"
#include "base/name.h"
#include "base/own.h"
#include "store/store.h"

/*
 * Users and organisations: rows with names from one name space, and their tokens.
 * The `_add` calls are idempotent: what exists with the same data is left alone, with other data is
 * ERR_EXISTS.
 */
enum account_type { ACCOUNT_USER, ACCOUNT_ORG };

struct account {
	int64_t id;
	char hex[25];                 /* id on the wire */
	enum account_type type;
	char name[NAME_ROOM];
	char fullname[128];
	char email[256];
	bool admin;                   /* users */
	bool private_by_default;      /* organisations */
	int64_t created_ms;
};

enum account_member { ACCOUNT_MEMBER_NONE, ACCOUNT_MEMBER_READ, ACCOUNT_MEMBER_CONTRIBUTOR,
		      ACCOUNT_MEMBER_WRITE, ACCOUNT_MEMBER_ADMIN };

/* 1 found (names compare without case), 0 none, -1 failed. */
must_check int account_find(struct store_db *db, const char *name, struct account *out,
			    struct err *err);
must_check int account_by_id(struct store_db *db, int64_t id, struct account *out, struct err *err);

/* `wanted` gives name, fullname, email, admin, private_by_default and type. */
must_check int account_add(struct store_db *db, const struct account *wanted, struct err *err);
must_check int account_set_member(struct store_db *db, int64_t org_id, int64_t user_id,
				  enum account_member member, struct err *err);
/* Role of a user in an organisation. */
must_check int account_membership(struct store_db *db, int64_t org_id, int64_t user_id,
				  enum account_member *out, struct err *err);
/* Call `each` for every organisation of a user, by name. */
must_check int account_each_org(struct store_db *db, int64_t user_id,
				void (*each)(void *arg, const struct account *org,
					     enum account_member member),
				void *arg, struct err *err);

/* A new token, "hf_" and 34 letters and digits (Wire: A1). */
enum { TOKEN_ROOM = 64 };
void token_mint(char out[static TOKEN_ROOM]);

struct token_spec {
	const char *value;            /* NULL: mint one */
	const char *name;             /* plain ASCII without ']' */
	enum auth_role role;
	const char *const *scopes;    /* full names, NULL-terminated; AUTH_FINE_GRAINED */
};

/* Store a token of a user; its value is written to `out`. Importing one that is there is no error. */
must_check int token_add(struct store_db *db, int64_t user_id, const struct token_spec *spec,
			 char out[static TOKEN_ROOM], struct err *err);
must_check int token_revoke(struct store_db *db, int64_t token_id, struct err *err);
