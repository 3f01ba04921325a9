#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/visibility.h"
#include "base/mem.h"

/*
 * Settings of a repository: A5. Keys that we don't know, such as xetEnabled, are left alone:
 * clients send what their hub has.
 */

/* false, "auto" or "manual"; missing or null: as it was. */
static int read_gated(const json_t *body, struct repo *repo, struct err *err)
{
	const json_t *value = json_object_get(body, "gated");
	const char *word = json_is_false(value) ? "" : json_string_value(value);

	if (!value || json_is_null(value))
		return 0;
	if (!word || (*word && strcmp(word, "auto") != 0 && strcmp(word, "manual") != 0))
		return err_set(err, ERR_INVALID, "\"gated\" must be false, \"auto\" or \"manual\"");
	snprintf(repo->gated, sizeof(repo->gated), "%s", word);
	return 0;
}

static bool is_same(const struct repo *a, const struct repo *b)
{
	return a->is_private == b->is_private && a->is_protected == b->is_protected &&
	       strcmp(a->gated, b->gated) == 0;
}

/* "protected gated:auto". For free(). */
static char *describe(const struct repo *repo)
{
	return mem_format("%s%s%s", visibility_name(repo), repo->gated[0] ? " gated:" : "",
			  repo->gated);
}

static int write_audit(struct call *call, struct store_tx *tx, const struct repo *was,
		       const struct repo *is, struct err *err)
{
	owned(free) char *before = describe(was);
	owned(free) char *after = describe(is);
	owned(free) char *detail = mem_format("%s -> %s", before, after);

	return call_audit(call, tx, "repo.settings", detail, err);
}

/* What is set now, for the answer; changed is false where that was so before. */
static int change(struct call *call, const json_t *body, struct repo *now, bool *changed,
		  struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct store_db *db;
	struct repo before;
	int found;

	if (call_change(call, &tx, err) < 0)
		return -1;
	db = store_tx_db(tx);
	found = repo_by_id(db, call->repo.id, &before, err);
	if (found <= 0) /* call_change() has seen it */
		return found < 0 ? -1
				 : err_set(err, ERR_NO_REPO, "%s is gone", call->repo.full_name);
	*now = before;
	if (visibility_read(body, now, err) < 0 || read_gated(body, now, err) < 0)
		return -1;
	*changed = !is_same(&before, now);
	if (!*changed)
		return 0;
	if (repo_set_access(db, now, err) < 0 ||
	    (now->type == REPO_SPACE && space_set_access(db, now, err) < 0) ||
	    write_audit(call, tx, &before, now, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

/* 0.2x hands the answer to its user. */
int call_settings(struct call *call, struct err *err)
{
	struct repo now;
	json_t *body;
	bool changed = false;

	if (call_json(call, &body, err) < 0 || change(call, body, &now, &changed, err) < 0)
		return -1;
	if (changed && now.type == REPO_SPACE)
		call_wake(call); /* the front lets visitors in, or no more */
	answer_json(call->answer, json_pack("{s:b, s:s, s:o}", "private", now.is_private,
					    "visibility", visibility_name(&now), "gated",
					    now.gated[0] ? json_string(now.gated) : json_false()));
	return 0;
}
