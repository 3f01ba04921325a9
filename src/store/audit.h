#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "store/store.h"

/*
 * The audit: one row for each change of what people wish or own, made by whom, from where and how.
 * Rows are only ever added, and each is tied to the one before it (chain.h).
 *
 * Who makes a change calls audit_add() in the transaction of that change, so that neither is there
 * without the other. What follows from a wish (builds, stages, crashes) is no change of this kind:
 * the rows of runs tell it.
 *
 * docs/audit.md tells administrators the same. Texts may be NULL where there is none.
 */

/* Who, from where, and how: as it was then. */
struct audit_who {
	int64_t actor_id;  /* account; 0: none */
	const char *actor; /* its name; "uid 0" of a word, "the hub": no account has such a name */
	int64_t token_id;  /* 0: none */
	const char *token; /* its name */
	const char *address; /* as nginx saw it, or "local" */
	const char *via;     /* "POST /api/repos/create", "espaced user add" */
	const char *request; /* its id, as the log has it */
	const char *agent;   /* the client's word for itself, at most AUDIT_AGENT_MAX of ASCII */
};

enum { AUDIT_AGENT_MAX = 200 };

struct audit_entry {
	const struct audit_who *who; /* NULL: who has signed the store (store.h), or the hub */
	const char *action;          /* dotted, such as "repo.create" or "token.revoke" */
	const char *target;          /* what was changed, such as "spaces/me/demo" or "me" */
	const char *detail;          /* what a reader would ask next; never a secret */
};

/* Errors: ERR_FULL, ERR_SYSTEM. */
must_check int audit_add(struct store_db *db, const struct audit_entry *entry, struct err *err);

/* A row as it is kept. No text is NULL. */
struct audit_row {
	int64_t id; /* 1, 2, 3, … */
	int64_t at_ms;
	struct audit_who who;
	const char *action;
	const char *target;
	const char *detail;
	const char *hash; /* hexadecimal, of chain.h */
};

/* Which rows, newest first. NULL and 0 leave a condition out. */
struct audit_query {
	const char *actor;
	const char *target; /* of repositories "NS/NAME" will do, for each type */
	const char *action; /* or what it begins with, up to a dot */
	int64_t since_ms;
	int64_t until_ms;  /* this moment and later is left out */
	int64_t before_id; /* the row behind which a page begins */
	int64_t limit;
};

/* Call `each` for the rows; their texts live until it returns. */
must_check int audit_each(struct store_db *db, const struct audit_query *query,
			  void (*each)(void *arg, const struct audit_row *row), void *arg,
			  struct err *err);

/* All of a row, so that who keeps it can verify the chain without the database. */
json_t *audit_json(const struct audit_row *row);

/* All columns, in the order of audit_read(). */
#define AUDIT_COLUMNS                                                                         \
	"id, at_ms, actor_id, actor, token_id, token, address, via, request, agent, action, " \
	"target, detail, hash"
/* The current row of a query that begins with these; texts as store_text(). */
void audit_read(struct store_query *query, struct audit_row *out);
