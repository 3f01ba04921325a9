#include "api/pushed.h"

#include "base/clock.h"
#include "space/digest.h"

int pushed(struct call *call, struct git *git, const char *action, const char *detail,
	   struct err *err)
{
	owned(listing_done) struct listing listing = {0};
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct store_db *db;
	bool told = false;

	if (digest_head(git, &call->repo, &listing, err) < 0 || call_change(call, &tx, err) < 0)
		return -1;
	db = store_tx_db(tx);
	if (digest_write(db, git, &call->repo, &listing, &told, err) < 0)
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
