#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "build/runlog.h"
#include "space/grant.h"
#include "space/life.h"
#include "space/wish.h"
#include "store/audit.h"

enum {
	LOOK_MS = 60 * 1000, /* at least so often: grants are taken back by another process */
	LEAST_MS = 100,
};

/* Spaces that a look has found. */
struct spent_list {
	struct grant_spent *items;
	size_t count;
};

static void own_list_done(struct spent_list *held)
{
	free(held->items);
}

static void add(void *arg, const struct grant_spent *spent)
{
	struct spent_list *list = arg;

	list->items = mem_grow(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = *spent;
}

/* Whoever follows the app's log sees why it ends. */
static void say(const struct space_loop *loop, const struct grant_spent *spent)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct space space;
	struct err err = ERR_INIT;

	if (store_read_begin(loop->config.store, &read, &err) < 0 ||
	    space_get(store_read_db(read), spent->repo_id, &space, &err) <= 0 || !space.run_log)
		return; /* the runtime and the audit say it as well */
	owned(free) char *log = life_log_path(loop, space.hex, "run", space.run_log);

	if (!runlog_is_over(log))
		runlog_say(log, "===== %s: back to %s =====", spent->note, HARDWARE_BASIC);
}

/* One that is looked for among those whose hours are used up. */
struct sought {
	const struct grant_spent *spent;
	bool found;
};

static void compare(void *arg, const struct grant_spent *spent)
{
	struct sought *sought = arg;

	sought->found |= spent->repo_id == sought->spent->repo_id &&
			 strcmp(spent->flavor, sought->spent->flavor) == 0;
}

/* Since we looked it may have other hardware, another owner, or a new grant. */
static int is_spent_still(struct store_db *db, const struct grant_spent *spent, struct err *err)
{
	struct sought sought = {.spent = spent};
	int64_t next_ms;

	return grant_each_spent(db, compare, &sought, &next_ms, err) < 0 ? -1 : sought.found;
}

/*
 * A wish as if its owner had made it, and the hub's own row in the audit. 1 taken back, 0 there is
 * no reason any more.
 */
static int take_back(struct space_loop *loop, const struct grant_spent *spent, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	owned(free) char *target = mem_format("spaces/%s", spent->full_name);
	owned(free) char *detail =
		mem_format("hardware: %s -> %s, %s", spent->flavor, HARDWARE_BASIC, spent->note);
	const struct audit_entry entry = {
		.action = "space.hardware", .target = target, .detail = detail};
	int spends;

	if (store_tx_begin(loop->config.store, &tx, err) < 0)
		return -1;
	spends = is_spent_still(store_tx_db(tx), spent, err);
	if (spends <= 0)
		return spends;
	if (wish_hardware(store_tx_db(tx), spent->repo_id, HARDWARE_BASIC, 0, err) < 0 ||
	    grant_set_note(store_tx_db(tx), spent->repo_id, spent->note, err) < 0 ||
	    audit_add(store_tx_db(tx), &entry, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err) < 0 ? -1 : 1;
}

static int look(struct space_loop *loop, struct spent_list *list, int64_t *next_ms, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(loop->config.store, &read, err) < 0)
		return -1;
	return grant_each_spent(store_read_db(read), add, list, next_ms, err);
}

void life_spend(void *arg)
{
	struct space_loop *loop = arg;
	owned(list_done) struct spent_list list = {0};
	struct err err = ERR_INIT;
	int64_t next_ms = LOOK_MS;

	if (look(loop, &list, &next_ms, &err) < 0)
		log_error("space.spend", "error=%s", err.text);
	for (size_t i = 0; i < list.count; i++) {
		const struct grant_spent *spent = &list.items[i];
		int taken = take_back(loop, spent, &err);

		if (taken < 0)
			log_error("space.spend", "space=%s error=%s", spent->full_name, err.text);
		if (taken <= 0)
			continue;
		say(loop, spent);
		log_info("space.spend", "space=%s flavor=%s reason=\"%s\"", spent->full_name,
			 spent->flavor, spent->note);
		life_wake(life_of(loop, spent->repo_id), 0);
	}
	if (next_ms > LOOK_MS)
		next_ms = LOOK_MS;
	loop_timer_set(loop->spend, next_ms < LEAST_MS ? LEAST_MS : next_ms);
}
