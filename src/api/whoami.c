#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "auth/account.h"
#include "auth/token.h"

/*
 * Who am I, and what may my token: A1.
 */

static void add_org(void *arg, const struct account *org, enum account_member member)
{
	json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:s, s:n, s:s, s:b, s:b, s:n}",
					     "type", "org", "id", org->hex, "name", org->name,
					     "fullname", account_title(org), "email", "roleInOrg",
					     account_member_name(member), "isEnterprise", 0,
					     "canPay", 0, "periodEnd"));
}

static void add_scope(json_t *scoped, const struct scope *scope, const char *type, const char *hex,
		      const char *name)
{
	json_t *permissions = json_array();

	json_array_append_new(permissions, json_string("repo.content.read"));
	if (scope->may_write)
		json_array_append_new(permissions, json_string("repo.write"));
	json_array_append_new(scoped,
			      json_pack("{s:{s:s, s:s, s:s}, s:o}", "entity", "_id", hex, "type",
					type, "name", name, "permissions", permissions));
}

static int add_namespace(struct call *call, const struct scope *scope, json_t *scoped,
			 struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct account owner;
	int found;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	found = account_find(store_read_db(read), scope->name, &owner, err);
	if (found > 0)
		add_scope(scoped, scope, owner.type == ACCOUNT_ORG ? "org" : "user", owner.hex,
			  owner.name);
	return found < 0 ? -1 : 0;
}

/* A name stands for the model, the dataset and the Space, as far as the token's user sees them. */
static int add_repos(struct call *call, const struct scope *scope, json_t *scoped, struct err *err)
{
	for (enum repo_type type = REPO_MODEL; type <= REPO_SPACE; type++) {
		struct repo repo;

		if (call_find_readable(call, type, scope->name, &repo, err) == 0)
			add_scope(scoped, scope, repo_type_name(type), repo.hex, repo.full_name);
		else if (err->kind != ERR_NO_REPO)
			return -1;
	}
	return 0;
}

/* What there is of the scopes of a fine-grained token. */
static int scopes_json(struct call *call, json_t **out, struct err *err)
{
	const struct scope_list *scopes = &call->actor.scopes;
	owned(json_decref) json_t *scoped = json_array();

	for (unsigned i = 0; i < scopes->count; i++) {
		const struct scope *scope = &scopes->items[i];
		int added = strchr(scope->name, '/') ? add_repos(call, scope, scoped, err)
						     : add_namespace(call, scope, scoped, err);

		if (added < 0)
			return -1;
	}
	*out = json_pack("{s:b, s:[], s:O}", "canReadGatedRepos", 0, "global", "scoped", scoped);
	return 0;
}

/* 0.2x indexes auth.accessToken.role without a default. */
static int token_json(struct call *call, json_t **out, struct err *err)
{
	const struct actor *actor = &call->actor;
	json_t *scopes = NULL;

	if (actor->role == AUTH_FINE_GRAINED && scopes_json(call, &scopes, err) < 0)
		return -1;
	*out = json_pack("{s:s, s:s, s:o, s:o*}", "displayName", actor->token_name, "role",
			 token_role_name(actor->role), "createdAt",
			 answer_stamp(actor->token_created_ms), "fineGrained", scopes);
	return 0;
}

static int load(struct call *call, struct account *user, json_t *orgs, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	int found;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	found = account_by_id(store_read_db(read), call->actor.user_id, user, err);
	if (found == 0)
		return err_set(err, ERR_BAD_TOKEN, "user %s is gone", call->actor.name);
	if (found < 0)
		return -1;
	return account_each_org(store_read_db(read), user->id, add_org, orgs, err);
}

/* The CLI iterates over orgs. */
int call_whoami(struct call *call, struct err *err)
{
	owned(json_decref) json_t *orgs = json_array();
	struct account user;
	json_t *token;

	if (load(call, &user, orgs, err) < 0 || token_json(call, &token, err) < 0)
		return -1;
	answer_json(
		call->answer,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:n, s:s, s:O, s:{s:s, s:o}}",
			  "type", "user", "id", user.hex, "name", user.name, "fullname",
			  account_title(&user), "email", user.email, "emailVerified", 1, "isPro", 0,
			  "canPay", 0, "periodEnd", "billingMode", "postpaid", "orgs", orgs, "auth",
			  "type", "access_token", "accessToken", token));
	return 0;
}
