#include "api/call.h"

#include <fcntl.h>
#include <stdio.h>

#include "api/answer.h"
#include "base/file.h"
#include "base/log.h"
#include "repo/mark.h"

/*
 * The end of a repository: A3. The row goes first: a crash in between leaves files that nothing
 * names, never a name without files. Those are marked (mark.h) and by their name known to the
 * garbage collection.
 */

static int delete_rows(struct call *call, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct store_db *db;

	if (call_change(call, &tx, err) < 0)
		return -1;
	db = store_tx_db(tx);
	if ((call->repo.type == REPO_SPACE && space_delete(db, call->repo.id, err) < 0) ||
	    repo_remove(db, call->repo.id, err) < 0 ||
	    call_audit(call, tx, "repo.delete", NULL, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

int call_delete(struct call *call, struct err *err)
{
	owned(free) char *path = datadir_path(call->config->dir, "repos/%s.git", call->repo.hex);
	owned(free) char *gone =
		datadir_path(call->config->dir, "repos/gone-%s.git", call->repo.hex);
	struct err leftover = ERR_INIT;

	/* On a full disk, say. It is no reason to keep what would make room. */
	if (mark_set(path, &leftover) < 0)
		log_warn("repo.mark", "repo=%s error=%s", call->repo.hex, leftover.text);
	if (delete_rows(call, err) < 0) {
		mark_clear(path);
		return -1;
	}
	if (call->repo.type == REPO_SPACE)
		call_wake(call);
	leftover = (struct err)ERR_INIT;
	/* The repository is gone for everybody. */
	if (rename(path, gone) < 0)
		err_sys(&leftover, "rename");
	if (leftover.kind != ERR_NONE || file_remove_tree(AT_FDCWD, gone, &leftover) < 0)
		log_warn("repo.leftover", "repo=%s error=%s", call->repo.hex, leftover.text);
	answer_text(call->answer, "OK");
	return 0;
}
