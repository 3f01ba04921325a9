#include "auth/auth.h"

#include "auth/account.h"
#include "auth/token.h"

/* What one may do with the repositories of an owner. */
enum {
	MAY_READ = 1 << 0, /* private ones too */
	MAY_CREATE = 1 << 1,
	MAY_OWN = 1 << 2, /* write and manage those that one has created */
	MAY_WRITE = 1 << 3,
	MAY_MANAGE = 1 << 4,
	MAY_ALL = MAY_READ | MAY_CREATE | MAY_OWN | MAY_WRITE | MAY_MANAGE,
};

/* Roles of organisations. Admin is more than write only for the organisation itself. */
static const unsigned member_may[] = {
	[ACCOUNT_MEMBER_NONE] = 0,
	[ACCOUNT_MEMBER_READ] = MAY_READ,
	[ACCOUNT_MEMBER_CONTRIBUTOR] = MAY_READ | MAY_CREATE | MAY_OWN,
	[ACCOUNT_MEMBER_WRITE] = MAY_ALL,
	[ACCOUNT_MEMBER_ADMIN] = MAY_ALL,
};

/* What a token leaves of it: of everything, or of what its scopes reach. */
static const unsigned role_may[] = {
	[AUTH_READ] = MAY_READ,
	[AUTH_WRITE] = MAY_ALL,
};

static const unsigned reach_may[] = {
	[SCOPE_NONE] = 0,
	[SCOPE_READ] = MAY_READ,
	[SCOPE_WRITE] = MAY_READ | MAY_WRITE,
	[SCOPE_MANAGE] = MAY_ALL,
};

#define FIND_TOKEN                                                                 \
	"SELECT t.id, t.name, t.role, t.created_ms, a.id, a.hex, a.name, a.admin " \
	"FROM tokens t JOIN accounts a ON a.id = t.user_id WHERE t.revoked_ms IS NULL AND "

/* From a row of FIND_TOKEN, if there is one. */
static int read_actor(struct store_db *db, struct store_query *q, struct actor *out,
		      struct err *err)
{
	struct actor actor = {0};
	int found = store_step(q, err);

	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_BAD_TOKEN, "this token is unknown or revoked");
	actor.token_id = store_int(q, 0);
	store_copy(q, 1, actor.token_name, sizeof(actor.token_name));
	if (token_role_parse(store_text(q, 2), &actor.role, err) < 0)
		return -1;
	actor.token_created_ms = store_int(q, 3);
	actor.user_id = store_int(q, 4);
	store_copy(q, 5, actor.user_hex, sizeof(actor.user_hex));
	store_copy(q, 6, actor.name, sizeof(actor.name));
	actor.admin = store_int(q, 7) != 0;
	if (actor.role == AUTH_FINE_GRAINED &&
	    scope_load(db, actor.token_id, &actor.scopes, err) < 0)
		return -1;
	*out = actor;
	return 0;
}

int auth_actor(struct store_db *db, const char *token, struct actor *out, struct err *err)
{
	owned(store_query_end) struct store_query *q = NULL;
	char hash[TOKEN_HASH_ROOM];

	if (!token_is_valid(token))
		return err_set(err, ERR_BAD_TOKEN, "this is no token");
	token_hash(token, hash);
	q = store_query(db, FIND_TOKEN "t.hash = ?");
	store_bind_text(q, hash);
	return read_actor(db, q, out, err);
}

int auth_actor_by_id(struct store_db *db, int64_t user_id, int64_t token_id, struct actor *out,
		     struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, FIND_TOKEN "t.id = ? AND a.id = ?");

	store_bind_int(q, token_id);
	store_bind_int(q, user_id);
	return read_actor(db, q, out, err);
}

/* What the person may do with what belongs to an owner, whatever the token. */
static int person_may(struct store_db *db, const struct actor *actor, int64_t owner_id,
		      unsigned *out, struct err *err)
{
	enum account_member member = ACCOUNT_MEMBER_NONE;

	if (actor->user_id == 0) {
		*out = 0;
		return 0;
	}
	if (actor->admin || actor->user_id == owner_id) {
		*out = MAY_ALL;
		return 0;
	}
	if (account_membership(db, owner_id, actor->user_id, &member, err) < 0)
		return -1;
	*out = member_may[member];
	return 0;
}

static unsigned token_may(const struct actor *actor, const char *name)
{
	if (actor->role == AUTH_FINE_GRAINED)
		return reach_may[scope_reach(&actor->scopes, name)];
	return role_may[actor->role];
}

static int need_sign_in(struct err *err)
{
	return err_set(err, ERR_ANONYMOUS, "sign in first: this needs a token");
}

/* The person could, with another token. */
static int deny_token(const struct actor *actor, struct err *err)
{
	return err_set(err, ERR_DENIED, "the token %s does not give this right", actor->token_name);
}

static int check_admin(const struct actor *actor, struct err *err)
{
	if (actor->user_id == 0)
		return need_sign_in(err);
	if (!actor->admin)
		return err_set(err, ERR_DENIED, "only administrators of the hub may do this");
	return actor->role == AUTH_WRITE ? 0 : deny_token(actor, err);
}

static int check_create(struct store_db *db, const struct actor *actor,
			const struct auth_target *target, struct err *err)
{
	unsigned may = 0;

	if (actor->user_id == 0)
		return need_sign_in(err);
	if (person_may(db, actor, target->owner_id, &may, err) < 0)
		return -1;
	if (!(may & MAY_CREATE))
		return err_set(err, ERR_DENIED,
			       "you may not create repositories in this namespace");
	return token_may(actor, target->full_name) & MAY_CREATE ? 0 : deny_token(actor, err);
}

static int deny_person(enum auth_right right, const struct auth_target *target, struct err *err)
{
	return err_set(err, ERR_DENIED, "only writers may %s %s",
		       right == AUTH_REPO_ADMIN ? "manage" : "change", target->full_name);
}

static int check_repo(struct store_db *db, const struct actor *actor, enum auth_right right,
		      const struct auth_target *target, struct err *err)
{
	unsigned needed = right == AUTH_REPO_ADMIN ? MAY_MANAGE : MAY_WRITE;
	unsigned person = 0;
	unsigned both;

	if (person_may(db, actor, target->owner_id, &person, err) < 0)
		return -1;
	if ((person & MAY_OWN) && target->creator_id == actor->user_id)
		person |= MAY_WRITE | MAY_MANAGE;
	both = person & token_may(actor, target->full_name);
	if (target->is_private && !(both & MAY_READ))
		return err_set(err, ERR_NO_REPO, "no repository %s", target->full_name);
	if (right == AUTH_REPO_READ)
		return 0;
	if (actor->user_id == 0)
		return need_sign_in(err);
	if (!(person & needed))
		return deny_person(right, target, err);
	return both & needed ? 0 : deny_token(actor, err);
}

int auth_check(struct store_db *db, const struct actor *actor, enum auth_right right,
	       const struct auth_target *target, struct err *err)
{
	switch (right) {
	case AUTH_ANYONE:
		return 0;
	case AUTH_SIGNED_IN:
		return actor->user_id != 0 ? 0 : need_sign_in(err);
	case AUTH_ADMIN:
		return check_admin(actor, err);
	case AUTH_CREATE:
		return check_create(db, actor, target, err);
	case AUTH_REPO_READ:
	case AUTH_REPO_WRITE:
	case AUTH_REPO_ADMIN:
		return check_repo(db, actor, right, target, err);
	}
	return err_set(err, ERR_DENIED, "nobody has this right"); /* no row of a table says so */
}
