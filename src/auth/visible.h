#pragma once

#include "auth/auth.h"
#include "store/store.h"

/*
 * What an actor may see of many repositories: the answer of auth_check() to AUTH_REPO_READ, as a
 * condition over rows of `repos r`. So lists leave out what they may not show while they read, and
 * pages come out full.
 *
 * Public ones for everybody; all of the own namespace and of every organisation that one is a
 * member of, whatever the role; everything for administrators of the hub. A fine-grained token
 * shows of that what is public or in its scopes.
 *
 * Wire: A7.
 */
void visible_to(const struct actor *actor, struct store_condition *out);

/*
 * The same answer as a set, for who looks through rows in memory: an actor sees what is public, and
 * of private repositories those of these owners, or of every owner; a token with scopes leaves of
 * them those that it names (actor->scopes).
 */
struct visible_owners {
	bool all;
	int64_t *ids;
	size_t count;
};

must_check int visible_owners(struct store_db *db, const struct actor *actor,
			      struct visible_owners *out, struct err *err);
void visible_owners_done(struct visible_owners *owners);
static inline void own_visible_owners_done(struct visible_owners *held)
{
	visible_owners_done(held);
}
