#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auth/scope.h"
#include "base/err.h"
#include "base/name.h"
#include "base/own.h"
#include "store/store.h"

/*
 * Who is calling, and the one question: may this actor do that? The model never asks; api/ asks
 * once, before it calls the model. Only a SHA-256 of a token is stored.
 */
enum auth_role { AUTH_READ, AUTH_WRITE, AUTH_FINE_GRAINED };

/* The caller of one request. All zero: anonymous. `role` without a user means nothing. */
struct actor {
	int64_t user_id;   /* 0: anonymous */
	char user_hex[25]; /* id on the wire */
	char name[NAME_ROOM];
	bool admin;
	int64_t token_id;
	char token_name[NAME_ROOM];
	enum auth_role role;
	int64_t token_created_ms;
	struct scope_list scopes; /* AUTH_FINE_GRAINED */
};

/* Find the owner of a token. Errors: ERR_BAD_TOKEN. */
must_check int auth_actor(struct store_db *db, const char *token, struct actor *out,
			  struct err *err);

/* The same by ids that were kept. Errors: ERR_BAD_TOKEN, also if it is not that user's. */
must_check int auth_actor_by_id(struct store_db *db, int64_t user_id, int64_t token_id,
				struct actor *out, struct err *err);

enum auth_right {
	AUTH_ANYONE, /* no question at all */
	AUTH_SIGNED_IN,
	AUTH_REPO_READ,
	AUTH_REPO_WRITE, /* contents and the run of a Space */
	AUTH_REPO_ADMIN, /* delete, settings, move */
	AUTH_CREATE,     /* a repository in a namespace */
	AUTH_ADMIN,      /* of the hub */
};

/*
 * What is to be touched: an owner (user or organisation) and a repository of it. All but the owner
 * is for AUTH_REPO_*; no other right but AUTH_CREATE has a target at all.
 */
struct auth_target {
	int64_t owner_id;
	int64_t creator_id;    /* of the repository; 0: not known */
	const char *full_name; /* of the repository; for AUTH_CREATE, of the namespace */
	bool is_private;
};

/*
 * The right is the person's, cut by the token. The person: administrators of the hub and the owner
 * may everything; members of an organisation by role: admin and write everything; contributor
 * reads and creates, and may everything with what it has created; read reads. All others see what
 * is public. The token: AUTH_WRITE cuts nothing, AUTH_READ leaves reading, AUTH_FINE_GRAINED
 * leaves what its scopes say (scope.h). What is public it leaves to everybody.
 *
 * Errors, by Wire 0.4: who may not see the repository gets ERR_NO_REPO (the answer is 401 for the
 * anonymous and 404 for others); who sees it without the right gets ERR_DENIED, or ERR_ANONYMOUS.
 * The text of ERR_NO_REPO must not differ from that of a repository that isn't there: who answers
 * says the same for both.
 */
must_check int auth_check(struct store_db *db, const struct actor *actor, enum auth_right right,
			  const struct auth_target *target, struct err *err);
