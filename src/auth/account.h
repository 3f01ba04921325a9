#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/name.h"
#include "base/own.h"
#include "store/store.h"

/*
 * Users and organisations: rows with names from one name space, and who is member of what. Their
 * tokens are auth/token.h.
 *
 * Wire: A1, A15.
 */
enum account_type { ACCOUNT_USER, ACCOUNT_ORG };

enum { ACCOUNT_FULLNAME_ROOM = 128, ACCOUNT_EMAIL_ROOM = 256 };

struct account {
	int64_t id;
	char hex[25]; /* id on the wire */
	enum account_type type;
	char name[NAME_ROOM];
	char fullname[ACCOUNT_FULLNAME_ROOM];
	char email[ACCOUNT_EMAIL_ROOM];
	bool admin;              /* users: of the hub */
	bool private_by_default; /* organisations */
	int64_t created_ms;
};

/* What people call it: the full name, or the name where there is none. Borrowed. */
const char *account_title(const struct account *account);

/* Role of a user in an organisation; what each may do is the table in auth.c. */
enum account_member {
	ACCOUNT_MEMBER_NONE,
	ACCOUNT_MEMBER_READ,
	ACCOUNT_MEMBER_CONTRIBUTOR,
	ACCOUNT_MEMBER_WRITE,
	ACCOUNT_MEMBER_ADMIN
};

/* "read", "contributor", "write", "admin"; "" for none. Parsing refuses "". Errors: ERR_INVALID. */
const char *account_member_name(enum account_member member);
must_check int account_member_parse(const char *text, enum account_member *out, struct err *err);

/* 1 found (names compare without case), 0 none, -1 failed. */
must_check int account_find(struct store_db *db, const char *name, struct account *out,
			    struct err *err);
must_check int account_by_id(struct store_db *db, int64_t id, struct account *out, struct err *err);

/*
 * `wanted` gives name, fullname, email, admin, private_by_default and type.
 * Returns 1 if a row was added, 0 if it was there with the same data.
 * Errors: ERR_EXISTS if it is there with other data, the case of the name included; ERR_INVALID for
 * a name that is none or that the hub's own addresses need, and for texts that don't fit.
 */
must_check int account_add(struct store_db *db, const struct account *wanted, struct err *err);

/* ACCOUNT_MEMBER_NONE removes. Errors: ERR_INVALID if it is no organisation or no user. */
must_check int account_set_member(struct store_db *db, int64_t org_id, int64_t user_id,
				  enum account_member member, struct err *err);

/* Role of a user in an organisation; ACCOUNT_MEMBER_NONE too where there is no such organisation.
 */
must_check int account_membership(struct store_db *db, int64_t org_id, int64_t user_id,
				  enum account_member *out, struct err *err);

/* Call `each` for every organisation of a user, by name. */
must_check int account_each_org(struct store_db *db, int64_t user_id,
				void (*each)(void *arg, const struct account *org,
					     enum account_member member),
				void *arg, struct err *err);

/* Stops where it returns false. */
struct account_each {
	bool (*call)(void *arg, const struct account *user, enum account_member member);
	void *arg;
};

/* Every member of an organisation by name, behind the name `after`; "" for all. */
must_check int account_each_member(struct store_db *db, int64_t org_id, const char *after,
				   const struct account_each *each, struct err *err);
must_check int account_count_members(struct store_db *db, int64_t org_id, int64_t *out,
				     struct err *err);
