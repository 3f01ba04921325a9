#include "space/wish.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "space/grant.h"
#include "space/hardware.h"
#include "space/place.h"
#include "space/space.h"
#include "space/volume.h"

static bool is_static(const struct space *space)
{
	return strcmp(space->sdk, "static") == 0;
}

static int read_alive(struct store_db *db, int64_t repo_id, struct space *out, struct err *err)
{
	if (space_need(db, repo_id, out, err) < 0)
		return -1;
	if (out->deleting)
		return err_set(err, ERR_NO_REPO, "no such space");
	return 0;
}

/* The same, for what only a process can have. */
static int read_process(struct store_db *db, int64_t repo_id, const char *what, struct space *out,
			struct err *err)
{
	if (read_alive(db, repo_id, out, err) < 0)
		return -1;
	if (is_static(out))
		return err_set(err, ERR_INVALID, "%s is static: it runs nothing and has no %s",
			       out->full_name, what);
	return 0;
}

/* The run that there is ends; the next one waits for more changes. */
static int write_restart(struct store_db *db, struct space *space, struct err *err)
{
	enum stage_event event = is_static(space) ? STAGE_EVENT_NONE : STAGE_EVENT_REWISHED;

	space->restart_nonce++;
	space->settles_ms = clock_wall_ms();
	return space_write_wish(db, space, event, false, err) < 0 ? -1 : 1;
}

int wish_keys(struct store_db *db, int64_t repo_id, struct err *err)
{
	struct space space;

	return read_alive(db, repo_id, &space, err) < 0 ? -1 : write_restart(db, &space, err);
}

int wish_pause(struct store_db *db, int64_t repo_id, struct err *err)
{
	struct space space;

	if (read_process(db, repo_id, "pause", &space, err) < 0)
		return -1;
	if (space.paused)
		return 0;
	space.paused = true;
	return space_write_wish(db, &space, STAGE_EVENT_PAUSED, false, err) < 0 ? -1 : 1;
}

/* Nothing to restart for: no new generation. */
static int write_sleep(struct store_db *db, const struct space *space, int64_t sleep_s,
		       struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "UPDATE spaces SET sleep_s = ?, updated_ms = ? WHERE repo_id = ?");

	if (space->sleep_s == sleep_s)
		return 0;
	store_bind_int(query, sleep_s);
	store_bind_int(query, clock_wall_ms());
	store_bind_int(query, space->repo_id);
	return store_step(query, err) < 0 ? -1 : 1;
}

/* What was set for other hardware than cpu-basic stays with the Space. */
static int64_t next_sleep(const struct space *space, const char *flavor, int64_t sleep_s)
{
	if (sleep_s == 0 && strcmp(space->flavor, HARDWARE_BASIC) != 0)
		sleep_s = space->sleep_s;
	return space_sleep_of(flavor, sleep_s);
}

/* What serves goes on until the next run may begin, for no secret was revoked. */
static int write_move(struct store_db *db, struct space *space, bool later, struct err *err)
{
	enum stage_event event = later ? STAGE_EVENT_NONE : STAGE_EVENT_PUSHED;

	space->settles_ms = clock_wall_ms();
	if (space_write_wish(db, space, event, true, err) < 0 ||
	    (later && place_wait(db, space->repo_id, err) < 0))
		return -1;
	return 1;
}

/* Hardware that was asked for. */
struct wanted {
	const char *flavor;
	int64_t sleep_s;
	bool later;
};

static int set_hardware(struct store_db *db, int64_t repo_id, const struct wanted *wanted,
			struct err *err)
{
	struct space space;
	int64_t sleep_s;
	bool serves;

	if (read_process(db, repo_id, "hardware", &space, err) < 0 ||
	    (wanted->sleep_s != 0 && space_sleep_check(wanted->sleep_s, err) < 0))
		return -1;
	sleep_s = next_sleep(&space, wanted->flavor, wanted->sleep_s);
	if (strcmp(space.flavor, wanted->flavor) == 0)
		return write_sleep(db, &space, sleep_s, err);
	snprintf(space.flavor, sizeof(space.flavor), "%s", wanted->flavor);
	space.sleep_s = sleep_s;
	if (grant_set_note(db, repo_id, "", err) < 0 || space_serves(db, repo_id, &serves, err) < 0)
		return -1;
	if (serves &&
	    (space.stage == STAGE_RUNNING || (space.stage == STAGE_SLEEPING && wanted->later)))
		return write_move(db, &space, wanted->later, err);
	return write_restart(db, &space, err);
}

int wish_hardware(struct store_db *db, int64_t repo_id, const char *flavor, int64_t sleep_s,
		  struct err *err)
{
	return set_hardware(db, repo_id, &(struct wanted){flavor, sleep_s, false}, err);
}

int wish_hardware_later(struct store_db *db, int64_t repo_id, const char *flavor, int64_t sleep_s,
			struct err *err)
{
	return set_hardware(db, repo_id, &(struct wanted){flavor, sleep_s, true}, err);
}

int wish_sleep(struct store_db *db, int64_t repo_id, int64_t sleep_s, struct err *err)
{
	struct space space;

	if (read_process(db, repo_id, "sleep time", &space, err) < 0 ||
	    space_sleep_check(sleep_s, err) < 0)
		return -1;
	return write_sleep(db, &space, space_sleep_of(space.flavor, sleep_s), err);
}

int wish_storage(struct store_db *db, int64_t repo_id, const char *tier, struct err *err)
{
	int rank = space_storage_rank(tier);
	struct space space;

	if (read_process(db, repo_id, "storage", &space, err) < 0)
		return -1;
	if (rank < 0)
		return err_set(err, ERR_INVALID, "tier must be one of [small, medium, large]");
	if (strcmp(space.storage, tier) == 0)
		return 0;
	if (rank > 0 && rank < space_storage_rank(space.storage))
		return err_set(err, ERR_INVALID,
			       "storage can't shrink from %s to %s: to have less, delete it, with "
			       "all that is in it, and ask for it anew",
			       space.storage, tier);
	space.data_drops += rank == 0;
	snprintf(space.storage, sizeof(space.storage), "%s", tier);
	return write_restart(db, &space, err);
}

int wish_volumes(struct store_db *db, int64_t repo_id, const json_t *list, struct err *err)
{
	struct space space;
	int changed;

	if (read_process(db, repo_id, "volumes", &space, err) < 0)
		return -1;
	changed = volume_set(db, repo_id, list, err);
	return changed > 0 ? write_restart(db, &space, err) : changed;
}
