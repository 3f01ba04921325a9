#include "api/pushed.h"

#include <string.h>

#include "base/clock.h"

/*
 * Tell the Space what main is now. The head is read inside of the transaction: of two pushes at
 * once the rows may come in the other order than the commits did.
 */
static int tell_space(struct call *call, struct store_db *db, struct git *git, bool *told,
		      struct err *err)
{
	char head[GIT_HEX];
	struct space space;
	int found;

	if (call->repo.type != REPO_SPACE)
		return 0;
	found = space_get(db, call->repo.id, &space, err);
	if (found <= 0)
		return found;
	if (git_resolve(git, "main", head, err) < 0)
		return -1;
	if (strcmp(space.commit, head) == 0)
		return 0;
	*told = true;
	return space_pushed(db, call->repo.id, head, err);
}

int pushed(struct call *call, struct git *git, const char *action, const char *detail,
	   struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct store_db *db;
	bool told = false;

	if (call_change(call, &tx, err) < 0)
		return -1;
	db = store_tx_db(tx);
	if (tell_space(call, db, git, &told, err) < 0)
		return -1;
	if (action && (repo_touch(db, call->repo.id, clock_wall_ms(), err) < 0 ||
		       call_audit(call, tx, action, detail, err) < 0))
		return -1;
	if (store_tx_commit(take(tx), err) < 0)
		return -1;
	if (told)
		call_wake(call);
	return 0;
}
