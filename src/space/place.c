#include "space/place.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "space/space.h"

/* Whose a place is: 0 nobody's, the Space's own, another's. */
enum holder { HOLDER_NOBODY, HOLDER_SELF, HOLDER_OTHER };

static int find_holder(struct store_db *db, const char *name, int64_t repo_id, enum holder *out,
		       struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT r.repo_id = ? FROM places p JOIN runs r ON r.id = p.run_id"
				" WHERE p.name = ?");
	int row;

	store_bind_int(query, repo_id);
	store_bind_text(query, name);
	row = store_step(query, err);
	if (row < 0)
		return -1;
	*out = row == 0 ? HOLDER_NOBODY : store_int(query, 0) ? HOLDER_SELF : HOLDER_OTHER;
	return 0;
}

/* One that waits for the same places, seen from one Space. */
struct rivals {
	const struct hardware *hardware;
	const struct hardware_flavor *flavor;
	int64_t repo_id;
	bool passed; /* the Space itself was met */
	int64_t before;
	int64_t all;
	int64_t since_ms;
};

static void count_rival(struct rivals *rivals, struct store_query *query)
{
	const struct hardware_flavor *wanted =
		hardware_find(rivals->hardware, store_text(query, 1));
	bool self = store_int(query, 0) == rivals->repo_id;

	if (self) {
		rivals->passed = true;
		rivals->since_ms = store_int(query, 2);
	}
	if (!self && !(wanted && hardware_share(wanted, rivals->flavor)))
		return;
	rivals->all++;
	if (!rivals->passed)
		rivals->before++;
}

/* Who comes before a Space that wants this flavor? One that does not wait is behind all who do. */
static int find_rivals(struct store_db *db, struct rivals *rivals, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT q.repo_id, s.flavor, q.since_ms FROM place_queue q"
				" JOIN spaces s USING (repo_id)"
				" WHERE NOT s.paused AND NOT s.deleting ORDER BY first DESC, seq");
	int row;

	while ((row = store_step(query, err)) > 0)
		count_rival(rivals, query);
	return row;
}

/* What is free of a flavor's places, and what the Space itself has of them. */
struct supply {
	struct places unheld; /* as many as a run needs, at most */
	size_t free;
	size_t own;
};

static int find_supply(struct store_db *db, const struct hardware_flavor *flavor, int64_t repo_id,
		       struct supply *out, struct err *err)
{
	size_t needed = hardware_places_needed(flavor);
	struct place place;
	enum holder holder;

	*out = (struct supply){0};
	for (size_t i = 0; i < hardware_places(flavor); i++) {
		hardware_place(flavor, i, place.name);
		if (find_holder(db, place.name, repo_id, &holder, err) < 0)
			return -1;
		out->free += holder == HOLDER_NOBODY;
		out->own += holder == HOLDER_SELF;
		if (holder == HOLDER_NOBODY && out->unheld.count < needed)
			out->unheld.items[out->unheld.count++] = place;
	}
	return 0;
}

int place_find(struct store_db *db, const struct hardware *hardware, int64_t repo_id,
	       const char *name, enum place_verdict *verdict, struct places *out, struct err *err)
{
	const struct hardware_flavor *flavor = hardware_find(hardware, name);
	struct rivals rivals = {hardware, flavor, repo_id};
	struct supply supply;
	size_t needed;

	*verdict = PLACE_FREE;
	*out = (struct places){0};
	if (!flavor || hardware_places(flavor) == 0) /* as hardware_limits(): it is cpu-basic now */
		return 0;
	needed = hardware_places_needed(flavor);
	if (find_rivals(db, &rivals, err) < 0 || find_supply(db, flavor, repo_id, &supply, err) < 0)
		return -1;
	if (rivals.before > 0)
		supply.free = 0;
	if (supply.free >= needed)
		*out = supply.unheld;
	else
		*verdict = supply.own > 0 && supply.own + supply.free >= needed ? PLACE_OWN
										: PLACE_BUSY;
	return 0;
}

static int take_one(struct store_db *db, const struct runrow *row, const struct place *place,
		    struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "INSERT INTO places (name, run_id) VALUES (?, ?)");

	store_bind_text(query, place->name);
	store_bind_int(query, row->id);
	return store_step(query, err) < 0 ? err_in(err, "%s for %s", place->name, row->key) : 0;
}

int place_take(struct store_db *db, const struct runrow *row, const struct places *places,
	       struct err *err)
{
	for (size_t i = 0; i < places->count; i++)
		if (take_one(db, row, &places->items[i], err) < 0)
			return -1;
	return place_leave(db, row->repo_id, err);
}

int place_of_run(struct store_db *db, int64_t run_id, struct places *out, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT name FROM places WHERE run_id = ? ORDER BY name");
	int row;

	*out = (struct places){0};
	store_bind_int(query, run_id);
	while ((row = store_step(query, err)) > 0) {
		assert(out->count < HARDWARE_CARDS_MAX); /* place_take() has written them */
		store_copy(query, 0, out->items[out->count++].name, HARDWARE_PLACE_ROOM);
	}
	return row;
}

/* Is there a run of what the Space wants now? */
static int has_target(struct store_db *db, const struct space *space, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT 1 FROM runs WHERE repo_id = ? AND kind = 'app'"
				" AND ended_ms IS NULL AND generation = ? AND restart_nonce = ?");

	store_bind_int(query, space->repo_id);
	store_bind_int(query, space->generation);
	store_bind_int(query, space->restart_nonce);
	return store_step(query, err);
}

static bool can_use(const struct hardware_flavor *flavor, const struct places *places)
{
	char name[HARDWARE_PLACE_ROOM];

	for (size_t i = 0; flavor && i < hardware_places(flavor); i++) {
		hardware_place(flavor, i, name);
		for (size_t j = 0; j < places->count; j++)
			if (strcmp(places->items[j].name, name) == 0)
				return true;
	}
	return false;
}

/* Does the Space begin another run, on what the last one had? 1, 0, -1 failed. */
static int goes_on(struct store_db *db, const struct hardware *hardware, int64_t repo_id,
		   const struct places *places, struct err *err)
{
	struct space space;
	int found = space_get(db, repo_id, &space, err);
	int target;

	if (found <= 0)
		return found;
	if (!space_wants_run(&space) || !can_use(hardware_find(hardware, space.flavor), places))
		return 0;
	target = has_target(db, &space, err);
	return target < 0 ? -1 : !target;
}

static int enter(struct store_db *db, int64_t repo_id, bool first, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "INSERT INTO place_queue (repo_id, first, since_ms) VALUES (?, ?, ?)"
		    " ON CONFLICT (repo_id) DO UPDATE SET first = max(first,"
		    " excluded.first)");

	store_bind_int(query, repo_id);
	store_bind_int(query, first);
	store_bind_int(query, clock_wall_ms());
	return store_step(query, err) < 0 ? -1 : 0;
}

static int drop(struct store_db *db, int64_t run_id, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "DELETE FROM places WHERE run_id = ?");

	store_bind_int(query, run_id);
	return store_step(query, err) < 0 ? -1 : 0;
}

int place_release(struct store_db *db, const struct hardware *hardware, const struct runrow *row,
		  struct err *err)
{
	struct places places;
	int keeps;

	if (place_of_run(db, row->id, &places, err) < 0)
		return -1;
	if (places.count == 0)
		return 0;
	keeps = goes_on(db, hardware, row->repo_id, &places, err);
	if (keeps < 0 || (keeps && enter(db, row->repo_id, true, err) < 0) ||
	    drop(db, row->id, err) < 0)
		return -1;
	return 1;
}

int place_wait(struct store_db *db, int64_t repo_id, struct err *err)
{
	return enter(db, repo_id, false, err);
}

int place_leave(struct store_db *db, int64_t repo_id, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "DELETE FROM place_queue WHERE repo_id = ?");

	store_bind_int(query, repo_id);
	return store_step(query, err) < 0 ? -1 : 0;
}

int place_waits(struct store_db *db, int64_t repo_id, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT 1 FROM place_queue WHERE repo_id = ?");

	store_bind_int(query, repo_id);
	return store_step(query, err);
}

int place_each_waiting(struct store_db *db, void (*each)(void *arg, int64_t repo_id), void *arg,
		       struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT repo_id FROM place_queue ORDER BY first DESC, seq");
	int row;

	while ((row = store_step(query, err)) > 0)
		each(arg, store_int(query, 0));
	return row;
}

int place_look(struct store_db *db, const struct hardware *hardware, int64_t repo_id,
	       struct place_wait *out, struct err *err)
{
	struct rivals rivals = {.hardware = hardware, .repo_id = repo_id};
	struct supply supply;
	struct space space;
	int found = space_get(db, repo_id, &space, err);

	*out = (struct place_wait){0};
	if (found <= 0)
		return found;
	rivals.flavor = hardware_find(hardware, space.flavor);
	if (!rivals.flavor || hardware_places(rivals.flavor) == 0)
		return 0;
	if (find_rivals(db, &rivals, err) < 0 ||
	    find_supply(db, rivals.flavor, repo_id, &supply, err) < 0)
		return -1;
	if (!rivals.passed)
		return 0;
	*out = (struct place_wait){
		.position = rivals.before + 1,
		.waiting = rivals.all,
		.since_ms = rivals.since_ms,
		.taken = hardware_places(rivals.flavor) - supply.free,
		.all = hardware_places(rivals.flavor),
	};
	return 0;
}
