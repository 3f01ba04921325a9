#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/limits.h"
#include "api/page.h"
#include "auth/account.h"
#include "auth/visible.h"

/*
 * Who is that, and who belongs to it: A15, C4.
 */

static int find_account(struct call *call, struct store_db *db, enum account_type type,
			struct account *out, struct err *err)
{
	const char *name = http_param(call->request, "name");
	int found = account_find(db, name, out, err);

	if (found < 0)
		return -1;
	if (found == 0 || out->type != type)
		return err_set(err, ERR_NOT_FOUND, "there is no %s called %s",
			       type == ACCOUNT_USER ? "user" : "organization", name);
	return 0;
}

/* `name_key` is "user" or "name", as clients have it for the one and the other. */
static json_t *account_json(const struct account *account, const char *name_key)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "_id", account->hex, name_key, account->name,
			 "fullname", account_title(account), "type",
			 account->type == ACCOUNT_USER ? "user" : "org", "createdAt",
			 answer_stamp(account->created_ms));
}

static json_t *user_json(const struct account *user)
{
	json_t *json = account_json(user, "user");

	json_object_set_new(json, "isPro", json_false());
	return json;
}

/* As many as the caller may see: else a number would tell of what is private. */
static int add_counts(struct call *call, struct store_db *db, const struct account *owner,
		      json_t *json, struct err *err)
{
	struct store_condition visible;
	struct repo_counts counts;

	visible_to(&call->actor, &visible);
	if (repo_count(db, owner->id, &visible, &counts, err) < 0)
		return -1;
	json_object_set_new(json, "numModels", json_integer(counts.of[REPO_MODEL]));
	json_object_set_new(json, "numDatasets", json_integer(counts.of[REPO_DATASET]));
	json_object_set_new(json, "numSpaces", json_integer(counts.of[REPO_SPACE]));
	return 0;
}

static void add_org(void *arg, const struct account *org, enum account_member member)
{
	json_array_append_new(arg, account_json(org, "name"));
}

int call_user_overview(struct call *call, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(json_decref) json_t *json = NULL;
	json_t *orgs = json_array();
	struct store_db *db;
	struct account user;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	db = store_read_db(read);
	json = json_pack("{s:o}", "orgs", orgs);
	if (find_account(call, db, ACCOUNT_USER, &user, err) < 0 ||
	    account_each_org(db, user.id, add_org, orgs, err) < 0 ||
	    add_counts(call, db, &user, json, err) < 0)
		return -1;
	json_object_update_new(json, user_json(&user));
	answer_json(call->answer, take(json));
	return 0;
}

int call_org_overview(struct call *call, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(json_decref) json_t *json = json_object();
	struct store_db *db;
	struct account org;
	int64_t users;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	db = store_read_db(read);
	if (find_account(call, db, ACCOUNT_ORG, &org, err) < 0 ||
	    account_count_members(db, org.id, &users, err) < 0 ||
	    add_counts(call, db, &org, json, err) < 0)
		return -1;
	json_object_update_new(json, account_json(&org, "name"));
	json_object_set_new(json, "numUsers", json_integer(users));
	answer_json(call->answer, take(json));
	return 0;
}

/* A page of members; the name of its last one is the cursor to the next. */
struct members {
	json_t *list;
	size_t limit;
	bool more;
	char last[NAME_ROOM];
};

static bool add_member(void *arg, const struct account *user, enum account_member member)
{
	struct members *members = arg;
	json_t *json;

	members->more = json_array_size(members->list) == members->limit;
	if (members->more)
		return false;
	json = user_json(user);
	json_object_set_new(json, "role", json_string(account_member_name(member)));
	json_array_append_new(members->list, json);
	memcpy(members->last, user->name, sizeof(members->last));
	return true;
}

int call_org_members(struct call *call, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(json_decref) json_t *list = json_array();
	const char *after = http_query(call->request, "cursor");
	struct members members = {.list = list};
	const struct account_each each = {add_member, &members};
	struct account org;
	int64_t limit;

	if (page_limit(call, LIMITS_MEMBERS_PAGE, LIMITS_MEMBERS_PAGE, &limit, err) < 0 ||
	    store_read_begin(call->config->store, &read, err) < 0 ||
	    find_account(call, store_read_db(read), ACCOUNT_ORG, &org, err) < 0)
		return -1;
	members.limit = (size_t)limit;
	if (account_each_member(store_read_db(read), org.id, after ? after : "", &each, err) < 0)
		return -1;
	if (members.more)
		page_next(call, NULL, members.last);
	answer_json(call->answer, take(list));
	return 0;
}
