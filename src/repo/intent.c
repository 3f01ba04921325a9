#include "repo/intent.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "repo/git.h"

/* The columns of an audit row in its order, so that audit_read() reads them; then those of ours. */
#define COLUMNS                                                                             \
	"i.id, 0, actor_id, actor, token_id, token, address, via, request, agent, action, " \
	"target, detail, '', hex, ref, old"
enum { COLUMN_HEX = 14, COLUMN_REF, COLUMN_OLD };

static const char *text(const char *may_be_null)
{
	return may_be_null ? may_be_null : "";
}

int intent_add(struct store_db *db, const struct intent *intent, const struct audit_entry *entry,
	       int64_t *id, struct err *err)
{
	const struct audit_who *who = entry->who;
	owned(store_query_end) struct store_query *q = store_query(
		db, "INSERT INTO intents (repo_id, ref, old, actor_id, actor, token_id, token,"
		    " address, via, request, agent, action, target, detail)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

	store_bind_int(q, intent->repo_id);
	store_bind_text(q, intent->ref);
	store_bind_text(q, intent->old);
	store_bind_int(q, who->actor_id);
	store_bind_text(q, text(who->actor));
	store_bind_int(q, who->token_id);
	store_bind_text(q, text(who->token));
	store_bind_text(q, text(who->address));
	store_bind_text(q, text(who->via));
	store_bind_text(q, text(who->request));
	store_bind_text(q, text(who->agent));
	store_bind_text(q, text(entry->action));
	store_bind_text(q, text(entry->target));
	store_bind_text(q, text(entry->detail));
	if (store_step(q, err) < 0)
		return err_in(err, "note a change of %s", intent->ref);
	*id = store_last_id(db);
	return 0;
}

int intent_remove(struct store_db *db, int64_t id, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "DELETE FROM intents WHERE id = ?");

	store_bind_int(query, id);
	return store_step(query, err) < 0 ? -1 : 0;
}

/*
 * Where it is not what it was, somebody has moved it: it is better to name who wanted to than
 * nobody. A repository that can't be opened may have been changed.
 */
static bool has_moved(const struct datadir *dir, const char *hex, const char *ref, const char *old)
{
	owned(free) char *path = datadir_path(dir, "repos/%s.git", hex);
	owned(git_close) struct git *git = NULL;
	char commit[GIT_HEX] = "";
	struct err err = ERR_INIT;

	if (git_open(path, &git, &err) < 0)
		return true;
	if (git_resolve(git, ref, commit, &err) < 0)
		commit[0] = '\0';
	return strcmp(commit, old) != 0;
}

/* The first one. 1 settled, 0 none is left, -1 failed. */
static int settle_next(struct store_db *db, const struct datadir *dir, size_t *written,
		       struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT " COLUMNS " FROM intents i JOIN repos r ON r.id = i.repo_id"
				" ORDER BY i.id LIMIT 1");
	struct audit_row row;
	struct audit_entry entry;
	int found = store_step(query, err);

	if (found <= 0)
		return found;
	audit_read(query, &row);
	entry = (struct audit_entry){
		.who = &row.who, .action = row.action, .target = row.target, .detail = row.detail};
	if (has_moved(dir, store_text(query, COLUMN_HEX), store_text(query, COLUMN_REF),
		      store_text(query, COLUMN_OLD))) {
		if (audit_add(db, &entry, err) < 0)
			return -1;
		log_info("intent.written", "target=%s action=%s", row.target, row.action);
		(*written)++;
	}
	return intent_remove(db, row.id, err) < 0 ? -1 : 1;
}

int intent_settle(struct store *store, const struct datadir *dir, size_t *written, struct err *err)
{
	int found = 1;

	*written = 0;
	while (found > 0) {
		owned(store_tx_end) struct store_tx *tx = NULL;

		if (store_tx_begin(store, &tx, err) < 0)
			return -1;
		found = settle_next(store_tx_db(tx), dir, written, err);
		if (found < 0 || store_tx_commit(take(tx), err) < 0)
			return -1;
	}
	return 0;
}
