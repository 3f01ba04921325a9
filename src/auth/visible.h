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
