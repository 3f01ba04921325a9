#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/birth.h"
#include "api/runtime.h"
#include "base/mem.h"

/*
 * Another name or owner for a repository: A4. Its id stays, and with it files, app and settings.
 * The app of a Space goes on and is reached by the new host name at once; what its environment says
 * of its name is told to the next process.
 */

/* The new owner pays for the hardware, and must have been granted it. */
static int check_hardware(struct call *call, struct store_db *db, const struct repo *moved,
			  struct err *err)
{
	struct space space;

	if (moved->type != REPO_SPACE || moved->owner_id == call->repo.owner_id)
		return 0;
	if (space_need(db, moved->id, &space, err) < 0)
		return -1;
	return runtime_may_have(call, db, moved->owner_id, space.flavor, err);
}

static int write_rows(struct call *call, struct repo *moved, const char *detail, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct store_db *db;

	if (call_change(call, &tx, err) < 0)
		return -1;
	db = store_tx_db(tx);
	if (check_hardware(call, db, moved, err) < 0 || repo_move(db, moved, err) < 0 ||
	    (moved->type == REPO_SPACE && space_move(db, moved, err) < 0) ||
	    call_audit(call, tx, "repo.move", detail, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

/* The name is one's own in other letters, free, or taken. */
static int read_name(struct call *call, const char *full_name, struct repo *moved, struct err *err)
{
	const char *name = strchr(full_name, '/') + 1;

	if (birth_check_name(name, err) < 0)
		return -1;
	*moved = call->repo;
	moved->owner_id = call->owner.id;
	snprintf(moved->owner, sizeof(moved->owner), "%s", call->owner.name);
	snprintf(moved->name, sizeof(moved->name), "%s", name);
	return 0;
}

int call_move(struct call *call, struct err *err)
{
	owned(free) char *detail = NULL;
	struct repo there;
	struct repo moved;
	const char *full_name;
	bool is_same;

	if (json_need_text(call->body, "toRepo", &full_name, err) < 0 ||
	    call_claim(call, full_name, &there, err) < 0)
		return -1;
	if (there.id != 0 && there.id != call->repo.id)
		return err_set(err, ERR_EXISTS, "the %s %s exists already",
			       repo_type_name(there.type), there.full_name);
	if (read_name(call, full_name, &moved, err) < 0)
		return -1;
	is_same = call->repo.owner_id == moved.owner_id && strcmp(call->repo.name, moved.name) == 0;
	detail = mem_format("to %s/%s", moved.owner, moved.name);
	if (!is_same && write_rows(call, &moved, detail, err) < 0)
		return -1;
	if (!is_same && moved.type == REPO_SPACE)
		call_wake(call);
	answer_json(call->answer, json_object());
	return 0;
}
