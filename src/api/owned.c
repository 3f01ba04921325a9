#include "api/call.h"

#include "api/answer.h"
#include "api/limits.h"
#include "api/lookup.h"
#include "api/page.h"
#include "base/mem.h"
#include "repo/usage.h"

/*
 * What somebody has, with the room that it takes: A7, for `hf repos ls`. Of an organisation each
 * sees what lists show, too.
 */

static const char *visibility_of(const struct repo *repo)
{
	if (!repo->is_private)
		return "public";
	return repo->is_protected ? "protected" : "private";
}

static int write_entry(struct call *call, const struct repo *repo, json_t *list, struct err *err)
{
	owned(free) char *path = datadir_path(call->config->dir, "repos/%s.git", repo->hex);
	int64_t bytes = 0;

	/* Deleted meanwhile: it takes no room any more. */
	if (usage_of(path, &bytes, err) < 0 && err->kind != ERR_NO_REPO)
		return err_in(err, "%s", repo->full_name);
	json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s, s:I}", "id", repo->full_name,
					      "type", repo_type_name(repo->type), "updatedAt",
					      answer_stamp(repo->modified_ms), "visibility",
					      visibility_of(repo), "storage", (json_int_t)bytes));
	return 0;
}

static int answer_owned(struct call *call, int64_t owner_id, struct err *err)
{
	struct catalogue_query query = {.types = 1 << REPO_MODEL | 1 << REPO_DATASET |
						 1 << REPO_SPACE,
					.owner_id = owner_id,
					.order = CATALOGUE_MODIFIED,
					.descending = true};
	owned(lookup_done) struct lookup lookup = {0};
	owned(json_decref) json_t *list = json_array();
	struct catalogue_mark after;
	int64_t limit;

	if (page_limit(call, LIMITS_LIST_SLOW, LIMITS_LIST_SLOW, &limit, err) < 0 ||
	    lookup_cursor(call, &after, &query.after, err) < 0)
		return -1;
	query.limit = (size_t)limit;
	if (lookup_page(call, &query, 0, &lookup, err) < 0)
		return -1;
	for (size_t i = 0; i < lookup.count; i++)
		if (write_entry(call, &lookup.entries[i].repo, list, err) < 0)
			return -1;
	lookup_next(call, &lookup, lookup.count);
	answer_json(call->answer, take(list));
	return 0;
}

int call_own_repositories(struct call *call, struct err *err)
{
	return answer_owned(call, call->actor.user_id, err);
}

int call_org_repositories(struct call *call, struct err *err)
{
	const char *name = http_param(call->request, "name");
	owned(store_read_end) struct store_read *read = NULL;
	struct account account;
	int found;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	found = account_find(store_read_db(read), name, &account, err);
	if (found < 0)
		return -1;
	if (found == 0 || account.type != ACCOUNT_ORG)
		return err_set(err, ERR_NOT_FOUND, "there is no organization %s", name);
	store_read_end(take(read));
	return answer_owned(call, account.id, err);
}
