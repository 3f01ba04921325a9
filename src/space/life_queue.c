#include <string.h>

#include "base/log.h"
#include "space/life.h"
#include "space/place.h"

/*
 * Counted hardware, in the life of a Space: when it waits for a place, and when it stops waiting.
 */

static void wake(void *arg, int64_t repo_id)
{
	life_wake(life_of(arg, repo_id), 0);
}

void life_queue_moved(struct space_loop *loop)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct err err = ERR_INIT;

	if (store_read_begin(loop->config.store, &read, &err) < 0 ||
	    place_each_waiting(store_read_db(read), wake, loop, &err) < 0)
		log_error("space.queue", "error=%s", err.text);
}

static int write_waiting(void *arg, struct store_db *db, struct err *err)
{
	const struct space *space = arg;

	return place_wait(db, space->repo_id, err);
}

static int write_leaving(void *arg, struct store_db *db, struct err *err)
{
	const struct space *space = arg;

	return place_leave(db, space->repo_id, err);
}

/* The old version serves on meanwhile; where there is none, the stage says that it is to start. */
static bool begin_waiting(struct life *life, const struct life_view *view)
{
	struct space space = view->space;
	bool serves = life_serves(life);
	enum stage_event event = serves ? STAGE_EVENT_NONE : STAGE_EVENT_CRASHED;
	struct err err = ERR_INIT;

	if (space.stage == STAGE_BUILDING || space.stage == STAGE_RUNNING_BUILDING)
		event = STAGE_EVENT_BUILT;
	if (view->waits && stage_next(space.stage, event, serves) == space.stage)
		return false;
	if (life_move(life, &space, event, "", write_waiting, &space, &err) == 0) {
		if (!view->waits)
			log_info("space.queue", "space=%s flavor=%s", space.full_name,
				 space.flavor);
		return true;
	}
	log_error("space.queue", "space=%s error=%s", space.full_name, err.text);
	life_rest(life);
	return false;
}

bool life_queue_left(struct life *life, const struct life_view *view)
{
	struct space space = view->space;
	struct err err = ERR_INIT;

	if (!view->waits || !(!space_wants_run(&space) || life_target(view)))
		return false;
	if (life_move(life, &space, STAGE_EVENT_NONE, "", write_leaving, &space, &err) < 0) {
		log_error("space.queue", "space=%s error=%s", space.full_name, err.text);
		life_rest(life);
		return false;
	}
	life_queue_moved(life->loop);
	return true;
}

/*
 * Two must never write to one disk; and two versions on different hardware are not one Space.
 */
static bool must_end_first(const struct life_view *view)
{
	if (*view->space.storage && view->run_count > 0)
		return true;
	for (size_t i = 0; i < view->run_count; i++)
		if (strcmp(view->runs[i].flavor, view->space.flavor) != 0)
			return true;
	return false;
}

enum life_turn life_turn(struct life *life, const struct life_view *view, struct places *out,
			 struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	const struct space *space = &view->space;
	enum place_verdict verdict;

	if (store_read_begin(life->loop->config.store, &read, err) < 0 ||
	    place_find(store_read_db(read), life->loop->config.hardware, space->repo_id,
		       space->flavor, &verdict, out, err) < 0)
		return LIFE_TURN_FAILED;
	store_read_end(take(read));
	/* It may want something else now than what others wait behind. */
	if (view->waits && life->queued_for != space->generation)
		life_queue_moved(life->loop);
	life->queued_for = space->generation;
	if (verdict == PLACE_BUSY)
		return begin_waiting(life, view) ? LIFE_TURN_CHANGED : LIFE_TURN_NOT_YET;
	if (verdict == PLACE_FREE && !must_end_first(view))
		return LIFE_TURN_NOW;
	/* Meanwhile nobody may take what is free now. */
	if (out->count > 0 && !view->waits)
		return begin_waiting(life, view) ? LIFE_TURN_CHANGED : LIFE_TURN_NOT_YET;
	return LIFE_TURN_AFTER_OLD;
}
