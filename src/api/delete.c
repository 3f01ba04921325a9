#include "api/call.h"

#include <fcntl.h>
#include <stdio.h>

#include "api/answer.h"
#include "base/file.h"
#include "base/log.h"
#include "repo/lend.h"
#include "repo/mark.h"

/*
 * The end of a repository: A3. The row goes first: a crash in between leaves files that nothing
 * names, never a name without files. Those are marked (mark.h) and by their name known to the
 * garbage collection.
 */

/* *lent: duplicates borrow from it, so its files stay. */
static int delete_rows(struct call *call, bool *lent, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct store_db *db;
	int found;

	if (call_change(call, &tx, err) < 0)
		return -1;
	db = store_tx_db(tx);
	found = lend_is_lent(db, call->repo.hex, err);
	if (found < 0 || (found > 0 && lend_keep(db, call->repo.hex, err) < 0))
		return -1;
	*lent = found > 0;
	if ((call->repo.type == REPO_SPACE && space_delete(db, call->repo.id, err) < 0) ||
	    repo_remove(db, call->repo.id, err) < 0 ||
	    call_audit(call, tx, "repo.delete", NULL, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

/*
 * The repository is gone for everybody. By its new name the garbage collection knows what stays
 * here when we are cut: whatever has a repository's name may be somebody's.
 */
static void remove_files(const struct call *call, const char *path)
{
	owned(free) char *gone =
		datadir_path(call->config->dir, "repos/gone-%s.git", call->repo.hex);
	struct err leftover = ERR_INIT;

	if (rename(path, gone) < 0)
		err_sys(&leftover, "rename");
	if (leftover.kind != ERR_NONE || file_remove_tree(AT_FDCWD, gone, &leftover) < 0)
		log_warn("repo.leftover", "repo=%s error=%s", call->repo.hex, leftover.text);
}

/* On a full disk a mark can't be set. It is no reason to keep what would make room. */
static void mark_files(const struct call *call, const char *path)
{
	struct err err = ERR_INIT;

	if (mark_set(path, &err) < 0)
		log_warn("repo.mark", "repo=%s error=%s", call->repo.hex, err.text);
}

int call_delete(struct call *call, struct err *err)
{
	owned(free) char *path = datadir_path(call->config->dir, "repos/%s.git", call->repo.hex);
	bool lent = false;

	mark_files(call, path);
	if (delete_rows(call, &lent, err) < 0) {
		mark_clear(path);
		return -1;
	}
	if (call->repo.type == REPO_SPACE)
		call_wake(call);
	if (lent)
		mark_clear(path);
	else
		remove_files(call, path);
	answer_text(call->answer, "OK");
	return 0;
}
