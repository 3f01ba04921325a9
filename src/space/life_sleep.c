#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "space/ledger.h"
#include "space/life.h"

enum {
	FALL_MAX_MS =
		6000, /* in that time an engine freezes, or has said to itself that it can't */
	FALL_AGAIN_MS = 10 * 60 * 1000, /* it could not: the next try */
	THAW_AGAIN_MS = 500,            /* no word of a thawed run: ask once more */
	PAGE_AGAIN_MS = 5 * 60 * 1000,  /* there was no swap space to page it out to */
	LISTEN_MS = 250,                /* between looks at the WebSockets of one that sleeps */
};

/* What is written down at the edges of a sleep. */
struct nap {
	const struct space *space;
	const struct runrow *row;
	enum idle_depth depth;
	int64_t wake_ms; /* how long somebody has waited; 0: nobody has */
};

static int write_slept(void *arg, struct store_db *db, struct err *err)
{
	const struct nap *nap = arg;

	if (runrow_slept(db, nap->row, err) < 0 ||
	    space_set_depth(db, nap->space->repo_id, idle_depth_name(nap->depth), err) < 0)
		return -1;
	return nap->depth == IDLE_STOPPED ? space_settle(db, nap->space, err) : 0;
}

static int write_deeper(void *arg, struct store_db *db, struct err *err)
{
	const struct nap *nap = arg;

	return space_set_depth(db, nap->space->repo_id, idle_depth_name(nap->depth), err);
}

static int write_woken(void *arg, struct store_db *db, struct err *err)
{
	const struct nap *nap = arg;

	if (runrow_woken(db, nap->row, err) < 0 ||
	    space_set_depth(db, nap->space->repo_id, idle_depth_name(IDLE_AWAKE), err) < 0)
		return -1;
	return nap->wake_ms == 0 ? 0 : space_set_wake(db, nap->space->repo_id, nap->wake_ms, err);
}

static int write_risen(void *arg, struct store_db *db, struct err *err)
{
	const struct nap *nap = arg;

	return space_rise(db, nap->space->repo_id, err);
}

static bool failed(struct life *life, const struct err *err)
{
	log_error("space.sleep", "space=%s error=%s", life->slug, err->text);
	life_rest(life);
	return false;
}

/* Which free what they hold: those with a card or of a count, and all where nothing is suspended.
 */
static struct idle_rule rule_of(const struct life *life, const struct life_view *view,
				const struct runrow *row)
{
	const struct space_loop *loop = life->loop;
	const struct hardware_flavor *flavor = hardware_find(loop->config.hardware, row->flavor);
	const struct space_sleep *sleep = &loop->config.sleep;
	bool suspends = loop->engine->ops->capabilities & ENGINE_CAN_SUSPEND;
	bool pages = loop->engine->ops->capabilities & ENGINE_CAN_PAGE_OUT;
	bool holds = !suspends || (flavor && (flavor->quantity > 0 || hardware_places(flavor) > 0));
	struct idle_rule rule = {
		.sleep_ms = view->space.sleep_s < 0 ? -1 : view->space.sleep_s * 1000,
		.ignores_sockets = sleep->ignores_sockets,
		.stops = holds,
		.page_ms = pages && sleep->page_ms > 0 ? sleep->page_ms : -1,
		.stop_ms = sleep->stop_ms > 0 ? sleep->stop_ms : -1,
	};

	/* An old version that serves after a failed push would not come back. */
	if (row != life_target(view)) {
		rule.sleep_ms = holds ? -1 : rule.sleep_ms;
		rule.stop_ms = -1;
	}
	return rule;
}

/* Something is made of this Space: then what it has serves meanwhile. */
static bool is_wanted(const struct life *life, const struct life_view *view)
{
	return life->visited_ms || stage_is_passing(view->space.stage);
}

static void thaw(struct life *life, const struct runrow *row)
{
	struct engine *engine = life->loop->engine;
	int64_t now_ms = clock_mono_ms();
	struct err err = ERR_INIT;

	if (!life->thaws_ms || now_ms - life->thaws_ms >= THAW_AGAIN_MS) {
		life->thaws_ms = now_ms;
		if (engine->ops->resume(engine, row->key, &err) < 0)
			log_warn("space.thaw", "run=%s error=%s", row->key, err.text);
	}
	life_wake(life, THAW_AGAIN_MS);
}

/* Not now: visitors go to the app again. */
static bool stay_awake(struct life *life)
{
	life->falls_ms = 0;
	life->visited_ms = 0;
	life->pages_ms = 0;
	life->listens = false;
	idle_touch(&life->idle, clock_mono_ms());
	return true;
}

static bool write_sleep(struct life *life, const struct life_view *view, const struct runrow *row,
			enum idle_depth depth)
{
	struct nap nap = {.space = &view->space, .row = row, .depth = depth};
	struct err err = ERR_INIT;

	if (life_move(life, &view->space, STAGE_EVENT_SLEPT, "", write_slept, &nap, &err) < 0)
		return failed(life, &err);
	life->falls_ms = 0;
	life->thaws_ms = 0;
	return true;
}

/*
 * The binding order (route/layout.h): visits ask from here on, then the sum. Whoever is counted is
 * with the app, or has read the table before and will be seen in the sum.
 */
static bool fall(struct life *life, const struct life_view *view, const struct runrow *row,
		 const struct idle_rule *rule)
{
	struct engine *engine = life->loop->engine;
	int64_t now_ms = clock_mono_ms();
	uint64_t before = life->idle.requests;
	struct route_usage usage;
	struct err err = ERR_INIT;

	life->falls_ms = now_ms;
	life_route(life, view);
	if (!life->routed || !route_usage(life->loop->config.route, life->slug, &usage) ||
	    usage.requests != before ||
	    idle_left_ms(&life->idle, &usage, rule, INT64_MIN, now_ms) > 0)
		return stay_awake(life);
	life->listens = true;
	life->heard_ms = (int64_t)usage.activity_ms;
	if (rule->stops)
		return write_sleep(life, view, row, IDLE_STOPPED);
	if (engine->ops->suspend(engine, row->key, &err) < 0) {
		log_warn("space.suspend", "run=%s error=%s", row->key, err.text);
		return stay_awake(life);
	}
	life_wake(life, FALL_MAX_MS);
	return false;
}

/* Awake. */
static bool grow_tired(struct life *life, const struct life_view *view, const struct runrow *row,
		       const struct life_fact *fact)
{
	struct idle_rule rule = rule_of(life, view, row);
	int64_t now_ms = clock_mono_ms();
	int64_t begin_ms = row->ready_ms + now_ms - clock_wall_ms();
	struct route_usage usage;
	int64_t left_ms;

	life->visited_ms = 0;
	life->thaws_ms = 0;
	if (is_wanted(life, view) || life->handover_ms || !life->routed ||
	    !route_usage(life->loop->config.route, life->slug, &usage))
		return false;
	left_ms = idle_left_ms(&life->idle, &usage, &rule, begin_ms, now_ms);
	life->fell_at = fact->reports;
	if (left_ms == 0)
		return fall(life, view, row, &rule);
	if (left_ms > 0)
		life_wake(life, left_ms);
	return false;
}

/* The engine was asked to suspend it, and has not said that it did; a report may say that it can't.
 */
static bool wait_for_sleep(struct life *life, const struct life_view *view,
			   const struct runrow *row, const struct life_fact *fact)
{
	struct idle_rule rule = rule_of(life, view, row);
	int64_t left_ms = life->falls_ms + FALL_MAX_MS - clock_mono_ms();
	bool refused = fact->reports != life->fell_at || left_ms <= 0;

	if (!refused && !is_wanted(life, view)) {
		life_wake(life, left_ms);
		return false;
	}
	/* Should it still be suspended, it is resumed behind that. */
	thaw(life, row);
	stay_awake(life);
	if (refused) {
		log_warn("space.suspend", "run=%s error=\"it does not freeze now\"", row->key);
		idle_shorten(&life->idle, &rule, FALL_AGAIN_MS);
	}
	return true;
}

/* As deep as it is now, for who asks. */
static bool write_depth(struct life *life, const struct life_view *view, enum idle_depth depth)
{
	struct nap nap = {.space = &view->space, .depth = depth};
	struct err err = ERR_INIT;

	if (strcmp(view->space.depth, idle_depth_name(depth)) == 0)
		return false;
	if (life_move(life, &view->space, STAGE_EVENT_NONE, "", write_deeper, &nap, &err) < 0)
		return failed(life, &err);
	return true;
}

static void page_out(struct life *life, const struct life_fact *fact)
{
	struct engine *engine = life->loop->engine;
	int64_t now_ms = clock_mono_ms();
	struct err err = ERR_INIT;

	if (fact->run.paged)
		return;
	if (!life->pages_ms || now_ms - life->pages_ms >= PAGE_AGAIN_MS) {
		life->pages_ms = now_ms;
		if (engine->ops->page_out(engine, fact->run.key, &err) < 0)
			log_warn("space.page", "run=%s error=%s", fact->run.key, err.text);
	}
	life_wake(life, PAGE_AGAIN_MS);
}

/*
 * A visitor who has stayed over a WebSocket says something: it can't ask, so we look. What was said
 * since the sum of the counters at the end of which it was suspended, or by the wall clock, where
 * the hub before us has done that.
 */
static bool hears(struct life *life, const struct runrow *row)
{
	struct route_usage usage;

	if (!route_usage(life->loop->config.route, life->slug, &usage) || usage.sockets == 0)
		return false;
	if (!life->listens)
		life->heard_ms = row->slept_ms + clock_mono_ms() - clock_wall_ms();
	life->listens = true;
	if ((int64_t)usage.activity_ms > life->heard_ms)
		life->visited_ms = clock_mono_ms();
	life_wake(life, LISTEN_MS);
	return life->visited_ms != 0;
}

static bool sleep_on(struct life *life, const struct life_view *view, const struct runrow *row,
		     const struct life_fact *fact)
{
	struct idle_rule rule = rule_of(life, view, row);
	int64_t asleep_ms = clock_wall_ms() - row->slept_ms;
	enum idle_depth depth;
	int64_t next_ms;

	if (is_wanted(life, view) || hears(life, row)) {
		thaw(life, row);
		return false;
	}
	depth = idle_depth(&rule, asleep_ms > 0 ? asleep_ms : 0, &next_ms);
	if (depth == IDLE_STOPPED || life->gives_way)
		return write_sleep(life, view, row, IDLE_STOPPED);
	if (depth == IDLE_PAGED)
		page_out(life, fact);
	if (next_ms > 0)
		life_wake(life, next_ms);
	return write_depth(life, view, fact->run.paged ? IDLE_PAGED : IDLE_FROZEN);
}

static bool wake(struct life *life, const struct life_view *view, const struct runrow *row)
{
	struct nap nap = {
		.space = &view->space,
		.row = row,
		.wake_ms = life_waited_ms(life),
	};
	struct err err = ERR_INIT;

	if (life_move(life, &view->space, STAGE_EVENT_WOKEN, "", write_woken, &nap, &err) < 0)
		return failed(life, &err);
	return stay_awake(life);
}

/* It sleeps and has no process: a visit starts it. */
static bool rise(struct life *life, const struct life_view *view)
{
	struct nap nap = {.space = &view->space};
	struct err err = ERR_INIT;

	life->falls_ms = 0;
	if (view->space.stage != STAGE_SLEEPING || !life->visited_ms)
		return false;
	if (life_move(life, &view->space, STAGE_EVENT_NONE, "", write_risen, &nap, &err) < 0)
		return failed(life, &err);
	log_info("space.rise", "space=%s", view->space.full_name);
	return true;
}

bool life_sleep(struct life *life, const struct life_view *view)
{
	const struct life_fact *fact = NULL;
	const struct runrow *row = life_serving(life, view, &fact);

	/* An old version that serves after a failed push would not come back. */
	life->slept_ms = row && row == life_target(view) ? row->slept_ms : 0;
	if (view->run_count == 0 || (row && !row->slept_ms))
		life->gives_way = false;
	if (!row)
		return rise(life, view);
	if (fact->run.state == ENGINE_FROZEN && row->slept_ms)
		return sleep_on(life, view, row, fact);
	if (fact->run.state == ENGINE_FROZEN && life->falls_ms && !is_wanted(life, view))
		return write_sleep(life, view, row, IDLE_FROZEN);
	if (fact->run.state == ENGINE_FROZEN) { /* nobody has written that it sleeps */
		thaw(life, row);
		return false;
	}
	if (row->slept_ms)
		return wake(life, view, row);
	return life->falls_ms ? wait_for_sleep(life, view, row, fact)
			      : grow_tired(life, view, row, fact);
}
