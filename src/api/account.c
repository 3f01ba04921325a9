#include "api/call.h"

#include "api/answer.h"
#include "auth/account.h"
#include "auth/token.h"
#include "base/mem.h"

/*
 * Who am I, who is that: A1, A15.
 */

static void add_org(void *arg, const struct account *org, enum account_member member)
{
	json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "type", "org",
					     "id", org->hex, "name", org->name, "fullname",
					     org->fullname[0] ? org->fullname : org->name,
					     "roleInOrg", account_member_name(member),
					     "isEnterprise", 0, "canPay", 0));
}

static json_t *token_json(const struct actor *actor)
{
	return json_pack("{s:s, s:{s:s, s:s, s:o}}", "type", "access_token", "accessToken",
			 "displayName", actor->token_name, "role", token_role_name(actor->role),
			 "createdAt", answer_stamp(actor->token_created_ms));
}

/* 0.2x indexes auth.accessToken.role without a default; the CLI iterates over orgs. */
int call_whoami(struct call *call, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(json_decref) json_t *orgs = json_array();
	const struct actor *actor = &call->actor;
	struct account user;
	int found;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	found = account_by_id(store_read_db(read), actor->user_id, &user, err);
	if (found == 0)
		return err_set(err, ERR_BAD_TOKEN, "user %s is gone", actor->name);
	if (found < 0 || account_each_org(store_read_db(read), user.id, add_org, orgs, err) < 0)
		return -1;
	answer_json(call->answer,
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:n, s:O, s:o}", "type",
			      "user", "id", user.hex, "name", user.name, "fullname",
			      user.fullname[0] ? user.fullname : user.name, "email", user.email,
			      "emailVerified", 1, "isPro", 0, "canPay", 0, "periodEnd", "orgs",
			      orgs, "auth", token_json(actor)));
	return 0;
}

static int find_account(struct call *call, enum account_type type, struct account *out,
			struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	const char *name = http_param(call->request, "name");
	int found;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	found = account_find(store_read_db(read), name, out, err);
	if (found < 0)
		return -1;
	if (found == 0 || out->type != type)
		return err_set(err, ERR_NOT_FOUND, "there is no %s called %s",
			       type == ACCOUNT_USER ? "user" : "organization", name);
	return 0;
}

static json_t *overview(const struct account *account, const char *name_key)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "_id", account->hex, name_key, account->name,
			 "fullname", account->fullname[0] ? account->fullname : account->name,
			 "type", account->type == ACCOUNT_USER ? "user" : "org", "createdAt",
			 answer_stamp(account->created_ms));
}

int call_user_overview(struct call *call, struct err *err)
{
	struct account user;

	if (find_account(call, ACCOUNT_USER, &user, err) < 0)
		return -1;
	answer_json(call->answer, overview(&user, "user"));
	return 0;
}

int call_org_overview(struct call *call, struct err *err)
{
	struct account org;

	if (find_account(call, ACCOUNT_ORG, &org, err) < 0)
		return -1;
	answer_json(call->answer, overview(&org, "name"));
	return 0;
}
