#include "space/grant.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "space/hardware.h"
#include "space/ledger.h"

enum { HOUR_MS = 3600 * 1000 };

/* A grant as it is kept. */
struct kept_grant {
	int64_t limit_ms;
	int64_t given_ms;
};

/* 1 found, 0 none, -1 failed. */
static int find(struct store_db *db, int64_t account_id, const char *flavor, struct kept_grant *out,
		struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT ifnull(limit_ms, -1), given_ms FROM grants"
				" WHERE account_id = ? AND flavor = ?");
	int row;

	store_bind_int(query, account_id);
	store_bind_text(query, flavor);
	row = store_step(query, err);
	if (row > 0)
		*out = (struct kept_grant){store_int(query, 0), store_int(query, 1)};
	return row;
}

static int put(struct store_db *db, const struct grant *grant, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "INSERT OR REPLACE INTO grants (account_id, flavor, limit_ms,"
				" given_ms) VALUES (?, ?, nullif(?, -1), ?)");

	store_bind_int(query, grant->account_id);
	store_bind_text(query, grant->flavor);
	store_bind_int(query, grant->limit_ms);
	store_bind_int(query, clock_wall_ms());
	return store_step(query, err) < 0 ? -1 : 1;
}

int grant_give(struct store_db *db, const struct grant *grant, struct err *err)
{
	struct kept_grant there = {0};
	int found = find(db, grant->account_id, grant->flavor, &there, err);

	if (found < 0)
		return -1;
	if (found == 0 || there.limit_ms == GRANT_NONE)
		return put(db, grant, err);
	if (there.limit_ms == grant->limit_ms)
		return 0;
	if (there.limit_ms == GRANT_ANY)
		return err_set(err, ERR_EXISTS, "there is a grant without end");
	return err_set(err, ERR_EXISTS, "there is a grant of %g hours",
		       (double)there.limit_ms / HOUR_MS);
}

int grant_revoke(struct store_db *db, int64_t account_id, const char *flavor, struct err *err)
{
	const struct grant none = {account_id, flavor, GRANT_NONE};
	struct kept_grant there = {0};
	int found = find(db, account_id, flavor, &there, err);

	if (found <= 0 || there.limit_ms == GRANT_NONE)
		return found < 0 ? -1 : 0;
	return put(db, &none, err);
}

/* What is left of the hours; negative or 0 for none. */
static int left_ms(struct store_db *db, int64_t account_id, const char *flavor,
		   const struct kept_grant *grant, int64_t *out, struct err *err)
{
	const struct ledger_filter filter = {
		.owner_id = account_id, .flavor = flavor, .from_ms = grant->given_ms};
	int64_t used_ms;

	if (ledger_used_ms(db, &filter, &used_ms, err) < 0)
		return -1;
	*out = grant->limit_ms - used_ms;
	return 0;
}

/* 1 an administrator, 0 not; `name` is the account's. */
static int read_account(struct store_db *db, int64_t account_id, char name[static NAME_ROOM],
			struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT admin, name FROM accounts WHERE id = ?");
	int row;

	*name = '\0';
	store_bind_int(query, account_id);
	row = store_step(query, err);
	if (row <= 0)
		return row;
	store_copy(query, 1, name, NAME_ROOM);
	return store_int(query, 0) != 0;
}

int grant_check(struct store_db *db, int64_t account_id, const char *flavor, struct err *err)
{
	struct kept_grant grant = {0};
	char name[NAME_ROOM];
	int64_t left = 0;
	int admin = read_account(db, account_id, name, err);
	int found;

	if (admin < 0)
		return -1;
	if (admin > 0 || strcmp(flavor, HARDWARE_BASIC) == 0)
		return 0;
	found = find(db, account_id, flavor, &grant, err);
	if (found < 0)
		return -1;
	if (found == 0 || grant.limit_ms == GRANT_NONE)
		return err_set(err, ERR_PAYMENT,
			       "%s needs a grant, and %s has none: ask an administrator of this "
			       "hub for it (espaced grant %s --hardware %s)",
			       flavor, name, name, flavor);
	if (grant.limit_ms == GRANT_ANY)
		return 0;
	if (left_ms(db, account_id, flavor, &grant, &left, err) < 0)
		return -1;
	if (left > 0)
		return 0;
	return err_set(
		err, ERR_PAYMENT,
		"the %g hours of %s that %s was granted are used up: ask an administrator of "
		"this hub for more",
		(double)grant.limit_ms / HOUR_MS, flavor, name);
}

/* A limited grant for hardware that a Space has. */
struct candidate {
	struct grant_spent spent;
	int64_t owner_id;
	struct kept_grant grant;
	int64_t spans; /* open ones: so many times faster do the hours pass */
};

static void describe(struct candidate *one)
{
	struct grant_spent *spent = &one->spent;

	if (one->grant.limit_ms == GRANT_NONE)
		snprintf(spent->note, sizeof(spent->note), "the grant of %s was taken back",
			 spent->flavor);
	else
		snprintf(spent->note, sizeof(spent->note), "the %g granted hours of %s are used up",
			 (double)one->grant.limit_ms / HOUR_MS, spent->flavor);
}

static int consider(struct store_db *db, struct candidate *one,
		    void (*each)(void *arg, const struct grant_spent *spent), void *arg,
		    int64_t *next_ms, struct err *err)
{
	int64_t left = 0;

	if (one->grant.limit_ms != GRANT_NONE &&
	    left_ms(db, one->owner_id, one->spent.flavor, &one->grant, &left, err) < 0)
		return -1;
	if (left <= 0) {
		describe(one);
		each(arg, &one->spent);
	} else if (one->spans > 0 && left / one->spans < *next_ms) {
		*next_ms = left / one->spans;
	}
	return 0;
}

int grant_each_spent(struct store_db *db, void (*each)(void *arg, const struct grant_spent *spent),
		     void *arg, int64_t *next_ms, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "SELECT s.repo_id, s.full_name, s.flavor, g.account_id, g.limit_ms, g.given_ms,"
		    " (SELECT count(*) FROM ledger l WHERE l.owner_id = g.account_id"
		    " AND l.flavor = g.flavor AND l.to_ms IS NULL)"
		    " FROM grants g JOIN accounts a ON a.id = g.account_id AND NOT a.admin"
		    " JOIN repos r ON r.owner_id = g.account_id"
		    " JOIN spaces s ON s.repo_id = r.id AND s.flavor = g.flavor AND NOT s.deleting"
		    " AND s.sdk <> 'static'"
		    " WHERE g.limit_ms IS NOT NULL");
	struct candidate one;
	int row;

	*next_ms = INT64_MAX;
	while ((row = store_step(query, err)) > 0) {
		one = (struct candidate){.spent.repo_id = store_int(query, 0),
					 .owner_id = store_int(query, 3),
					 .grant = {store_int(query, 4), store_int(query, 5)},
					 .spans = store_int(query, 6)};
		store_copy(query, 1, one.spent.full_name, sizeof(one.spent.full_name));
		store_copy(query, 2, one.spent.flavor, sizeof(one.spent.flavor));
		if (consider(db, &one, each, arg, next_ms, err) < 0)
			return -1;
	}
	return row;
}

int grant_set_note(struct store_db *db, int64_t repo_id, const char *note, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "UPDATE spaces SET hardware_note = ?1 WHERE repo_id = ?2"
				" AND hardware_note <> ?1");

	store_bind_text(query, note);
	store_bind_int(query, repo_id);
	return store_step(query, err) < 0 ? -1 : 0;
}

int grant_note(struct store_db *db, int64_t repo_id, char out[static GRANT_NOTE], struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT hardware_note FROM spaces WHERE repo_id = ?");
	int row;

	*out = '\0';
	store_bind_int(query, repo_id);
	row = store_step(query, err);
	if (row > 0)
		store_copy(query, 0, out, GRANT_NOTE);
	return row < 0 ? -1 : 0;
}
