#include "space/life.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/runlog.h"

enum { STEPS_MAX = 64 }; /* at once; more of them would be a mistake of ours */

static void step(void *arg);

struct life *life_of(struct space_loop *loop, int64_t repo_id)
{
	struct life *life = loop->lives;

	while (life && life->repo_id != repo_id)
		life = life->next;
	if (life)
		return life;
	life = mem_new(struct life);
	life->loop = loop;
	life->repo_id = repo_id;
	life->who = SPACE_WHO_UNKNOWN;
	life->timer = loop_timer_new(loop->loop, step, life);
	life->next = loop->lives;
	loop->lives = life;
	return life;
}

static void free_life(struct life *life)
{
	loop_timer_free(life->timer);
	probe_free(life->probe);
	free(life);
}

void life_forget(struct life *life)
{
	struct space_loop *loop = life->loop;
	struct life **at = &loop->lives;

	while (*at != life)
		at = &(*at)->next;
	*at = life->next;
	free_life(life);
	life_answer(loop, NULL);
}

void life_free_all(struct space_loop *loop)
{
	while (loop->lives) {
		struct life *next = loop->lives->next;

		free_life(loop->lives);
		loop->lives = next;
	}
	while (loop->facts) {
		struct life_fact *next = loop->facts->next;

		free(loop->facts);
		loop->facts = next;
	}
}

void life_wake(struct life *life, int64_t after_ms)
{
	int64_t due_ms = clock_mono_ms() + after_ms;

	if (life->loop->ending || (life->due_ms && life->due_ms <= due_ms))
		return;
	life->due_ms = due_ms;
	loop_timer_set(life->timer, after_ms);
}

void life_rest(struct life *life)
{
	int64_t now_ms = clock_mono_ms();
	unsigned doublings;

	if (now_ms - life->failed_ms > LIFE_CALM_MS)
		life->failures = 0;
	doublings = life->failures < LIFE_REST_DOUBLINGS ? life->failures : LIFE_REST_DOUBLINGS;
	life->failures++;
	life->failed_ms = now_ms;
	life->rests_until_ms = now_ms + (life->loop->config.retry_ms << doublings);
	life_wake(life, life->rests_until_ms - now_ms);
}

void life_put_off(struct life *life, const struct space *space, const struct err *err)
{
	owned(free) char *log = life_log_path(life->loop, space->hex, "build", space->build_log);

	life_rest(life);
	if (life->failures == 1)
		runlog_say(log, "%s: this server tries again by itself", err->text);
}

static bool rests(struct life *life)
{
	int64_t left_ms = life->rests_until_ms - clock_mono_ms();

	if (left_ms <= 0)
		return false;
	life_wake(life, left_ms);
	return true;
}

struct life_fact *life_fact(struct space_loop *loop, const char *key)
{
	struct life_fact *fact = loop->facts;

	while (fact && strcmp(fact->run.key, key) != 0)
		fact = fact->next;
	return fact;
}

struct life_fact *life_fact_put(struct space_loop *loop, const struct engine_run *run)
{
	struct life_fact *fact = life_fact(loop, run->key);

	if (!fact) {
		fact = mem_new(struct life_fact);
		fact->next = loop->facts;
		loop->facts = fact;
	}
	fact->run = *run;
	fact->reports++;
	return fact;
}

void life_fact_drop(struct space_loop *loop, const char *key)
{
	struct life_fact **at = &loop->facts;
	struct err err = ERR_INIT;
	struct life_fact *fact;

	/* A run that stays with the engine is reported again by the next hub, and dropped then. */
	if (loop->engine->ops->forget(loop->engine, key, &err) < 0)
		log_warn("space.forget", "run=%s error=%s", key, err.text);
	while (*at && strcmp((*at)->run.key, key) != 0)
		at = &(*at)->next;
	fact = *at;
	if (!fact)
		return;
	*at = fact->next;
	free(fact);
}

const struct runrow *life_target(const struct life_view *view)
{
	const struct space *space = &view->space;

	for (size_t i = view->run_count; i-- > 0;)
		if (view->runs[i].generation == space->generation &&
		    view->runs[i].restart_nonce == space->restart_nonce)
			return &view->runs[i];
	return NULL;
}

bool life_serves(const struct life *life)
{
	return life->address != 0 || life->has_sleeper;
}

bool life_yields(const struct life *life, const struct space *space)
{
	return life->yields_to == space->generation;
}

char *life_log_path(const struct space_loop *loop, const char *hex, const char *kind,
		    int64_t number)
{
	return mem_format("%s/spaces/%s/logs/%s-%lld.log", loop->config.dir, hex, kind,
			  (long long)number);
}

void life_logs(const struct space_loop *loop, const char *hex, const char *kind, int64_t newest)
{
	owned(free) char *folder = mem_format("%s/spaces/%s/logs", loop->config.dir, hex);
	struct err err = ERR_INIT;

	if (file_make_dirs(AT_FDCWD, folder, 0700, &err) < 0)
		log_warn("space.logs", "space=%s error=%s", hex, err.text);
	runlog_prune(folder, kind, newest - LIFE_LOGS_KEPT + 1);
}

bool life_has_layer(const struct space_loop *loop, const char *name)
{
	owned(free) char *path = mem_format("%s/layers/%s", loop->config.dir, name);

	return *name && file_exists(AT_FDCWD, path);
}

int life_move(struct life *life, const struct space *space, enum stage_event event,
	      const char *error, int (*change)(void *arg, struct store_db *db, struct err *err),
	      void *arg, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	enum stage stage = stage_next(space->stage, event, life_serves(life));

	if (store_tx_begin(life->loop->config.store, &tx, err) < 0)
		return -1;
	if (change && change(arg, store_tx_db(tx), err) < 0)
		return -1;
	if (stage != space->stage && space_set_stage(store_tx_db(tx), space, stage, error, err) < 0)
		return -1;
	if (store_tx_commit(take(tx), err) < 0)
		return -1;
	if (stage != space->stage)
		log_info("space.stage", "space=%s from=%s to=%s", space->full_name,
			 stage_name(space->stage), stage_name(stage));
	return 0;
}

bool life_is_over(const struct space *space, const struct runrow *row)
{
	return row->slept_ms && space->settled == row->generation;
}

const struct runrow *life_serving(struct life *life, const struct life_view *view,
				  const struct life_fact **fact)
{
	const struct space *space = &view->space;

	if (space->paused || space->deleting)
		return NULL;
	for (size_t i = view->run_count; i-- > 0;) {
		const struct runrow *row = &view->runs[i];

		if (life_yields(life, space) && row->generation != space->generation)
			continue;
		*fact = life_fact(life->loop, row->key);
		if (row->ready_ms && row->restart_nonce == space->restart_nonce && *fact &&
		    ((*fact)->run.state == ENGINE_RUNNING || (*fact)->run.state == ENGINE_FROZEN) &&
		    !(*fact)->stopping && !life_is_over(space, row))
			return row;
	}
	return NULL;
}

static enum space_who who_of(const struct space *space)
{
	if (space->deleting)
		return SPACE_WHO_UNKNOWN;
	switch (space->stage) {
	case STAGE_BUILDING:
	case STAGE_RUNNING_BUILDING:
		return SPACE_WHO_BUILDING;
	case STAGE_APP_STARTING:
	case STAGE_RUNNING_APP_STARTING:
	case STAGE_RUNNING: /* its process has gone this moment, and comes back */
		return SPACE_WHO_STARTING;
	case STAGE_PAUSED:
		return SPACE_WHO_PAUSED;
	case STAGE_STOPPED:
		return SPACE_WHO_STOPPED;
	default:
		return SPACE_WHO_ERROR;
	}
}

static enum route_access access_of(const struct space *space)
{
	return space->is_private ? ROUTE_PRIVATE : ROUTE_PUBLIC;
}

/* Take the entry of a name away unless it is another Space's by now. False: not known. */
static bool remove_route(struct life *life, const char *slug)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct space other;
	struct err err = ERR_INIT;
	int found = -1;

	if (store_read_begin(life->loop->config.store, &read, &err) == 0)
		found = space_by_slug(store_read_db(read), slug, &other, &err);
	if (found < 0)
		log_error("space.route", "slug=%s error=%s", slug, err.text);
	if (found == 0)
		route_remove(life->loop->config.route, slug);
	return found >= 0;
}

static void drop_route(struct life *life, const struct space *space)
{
	life->routed = remove_route(life, space->slug);
	life->address = 0;
	life->who = SPACE_WHO_UNKNOWN;
	life_answer(life->loop, NULL);
}

static int forget_slug(struct life *life, const char *slug, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;

	if (store_tx_begin(life->loop->config.store, &tx, err) < 0 ||
	    space_forget_slug(store_tx_db(tx), slug, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

/*
 * The Space has moved: the entry of its new name first, so that the app is reached all the time.
 * What the old entry has counted is lost; a hand-over between versions is cut short.
 */
static bool leave_name(struct life *life, const struct space *space)
{
	struct err err = ERR_INIT;

	if (!remove_route(life, space->left_slug) ||
	    forget_slug(life, space->left_slug, &err) < 0) {
		log_error("space.move", "space=%s error=%s", space->full_name, err.text);
		life_rest(life);
		return false;
	}
	life_answer(life->loop, space->left_slug);
	return true;
}

/* How long clients may still be on their way to fetch what the old version has for them. */
static int64_t session_left_ms(const struct life *life, int64_t now_ms)
{
	int64_t most_ms = life->handover_ms + LIFE_HANDOVER_MAX_MS - now_ms;
	int64_t left_ms = LIFE_HANDOVER_LOOK_MS;
	struct route_usage usage;

	if (!route_usage(life->loop->config.route, life->slug, &usage))
		return 0;
	if (usage.opening == 0)
		left_ms = (int64_t)usage.opened_ms + LIFE_SESSION_MS - now_ms;
	return left_ms < most_ms ? left_ms : most_ms;
}

/*
 * Visitors move to a newer version in two steps: first new ones are held, so that a session whose
 * next call is on its way finds the version that knows it. True when there is none any more.
 */
static bool handed_over(struct life *life, const struct space *space)
{
	struct err err = ERR_INIT; /* no room for an entry that is there: can't be */
	int64_t now_ms = clock_mono_ms();
	int64_t left_ms;

	if (!life->handover_ms && route_set(life->loop->config.route, space->slug, ROUTE_HANDOVER,
					    access_of(space), life->address, life->port, &err) == 0)
		life->handover_ms = now_ms;
	left_ms = session_left_ms(life, now_ms);
	if (left_ms <= 0)
		return true;
	life_wake(life, left_ms);
	return false;
}

/*
 * The entry in the table: an address, or 0 for "ask". While a Space sleeps that is DRAIN: a worker
 * that comes late with an answer from before then asks again (route/layout.h).
 */
static void write_route(struct life *life, const struct space *space, uint32_t address,
			uint16_t port)
{
	struct err err = ERR_INIT;

	life->handover_ms = 0;
	life->address = address;
	life->port = port;
	life->is_private = space->is_private;
	life->routed = route_set(life->loop->config.route, space->slug,
				 address        ? ROUTE_RUNNING
				 : life->asleep ? ROUTE_DRAIN
						: ROUTE_ASK,
				 access_of(space), address, port, &err) == 0;
	if (!life->routed)
		log_error("space.route", "space=%s error=%s", space->full_name, err.text);
}

/* Who is said to be asked now, and whether a visit wakes it. */
static void judge_sleep(struct life *life, const struct space *space, const struct runrow *row,
			const struct life_fact *fact)
{
	life->has_sleeper =
		row && (row->slept_ms || fact->run.state == ENGINE_FROZEN || life->falls_ms);
	life->asleep = row ? life->has_sleeper : space->stage == STAGE_SLEEPING;
	if (!life->asleep && !stage_is_passing(space->stage))
		life->visited_ms = 0;
}

static enum space_who who_now(const struct life *life, const struct space *space)
{
	enum space_who who = who_of(space);

	if (life->address)
		return SPACE_WHO_ADDRESS;
	if (life->asleep || (life->visited_ms && who == SPACE_WHO_STARTING))
		return SPACE_WHO_WAKING;
	return who;
}

void life_route(struct life *life, const struct life_view *view)
{
	bool first = !life->routed;
	const struct space *space = &view->space;
	const struct life_fact *fact = NULL;
	const struct runrow *row = life_serving(life, view, &fact);
	bool was_asleep = life->asleep;
	uint32_t address;
	uint16_t port;
	bool moves;

	if (space->deleting) {
		if (!life->routed || life->who != SPACE_WHO_UNKNOWN || life->address)
			drop_route(life, space);
		return;
	}
	judge_sleep(life, space, row, fact);
	address = row && !life->asleep ? fact->run.address : 0;
	port = row && !life->asleep ? fact->run.port : 0;
	moves = life->address != address || life->port != port || life->asleep != was_asleep;
	if (moves && life->routed && life->address && (address || life_yields(life, space)) &&
	    life->is_private == space->is_private && !handed_over(life, space)) {
		life->who = SPACE_WHO_STARTING; /* questions are kept until then */
		return;
	}
	if (moves && !address)
		life->yielded_ms = clock_mono_ms();
	if (moves || !life->routed || life->handover_ms || life->is_private != space->is_private)
		write_route(life, space, address, port);
	life->who = who_now(life, space);
	/* The last Space to be read decides for all names that nobody has. */
	life_answer(life->loop, first ? NULL : life->slug);
}

/* Does any Space have a name that has not been read yet? */
static bool has_unread(const struct space_loop *loop)
{
	for (const struct life *life = loop->lives; life; life = life->next)
		if (!life->read)
			return true;
	return false;
}

static bool is_on_its_way(const struct life *life)
{
	return life->who == SPACE_WHO_BUILDING || life->who == SPACE_WHO_STARTING ||
	       life->who == SPACE_WHO_WAKING;
}

int64_t life_waited_ms(const struct life *life)
{
	return life->visited_ms ? clock_mono_ms() - life->visited_ms + 1 : 0;
}

/* Whoever asks for a Space that sleeps wakes it, also one who gets a page meanwhile. */
static void visit(struct life *life)
{
	if (!life->asleep)
		return;
	if (!life->visited_ms)
		life->visited_ms = clock_mono_ms();
	life_wake(life, 0);
}

/*
 * Can this question be answered now? Then *life is whose it is, or NULL. A hand-over is so short
 * that everybody waits for its end, and so is the wake of a run that is there.
 */
static bool can_answer(struct space_loop *loop, const struct life_ask *ask, const struct life **out)
{
	struct life *life = loop->lives;

	if (!loop->observed)
		return false;
	while (life && (strcmp(life->slug, ask->slug) != 0 || life->gone))
		life = life->next;
	*out = life;
	if (!life)
		return !has_unread(loop);
	if (life->is_private && !ask->admitted) {
		*out = NULL; /* it became private after the visitor was let pass */
		return true;
	}
	visit(life);
	return !is_on_its_way(life) || (!ask->waits && !life->handover_ms && !life->has_sleeper);
}

void life_answer(struct space_loop *loop, const char *slug)
{
	struct life_ask **at = &loop->asks;

	while (*at) {
		struct life_ask *ask = *at;
		const struct life *life;

		if ((slug && strcmp(ask->slug, slug) != 0) || !can_answer(loop, ask, &life)) {
			at = &ask->next;
			continue;
		}
		*at = ask->next;
		ask->answer(ask->arg, life ? life->who : SPACE_WHO_UNKNOWN,
			    life ? life->address : 0, life ? life->port : 0);
		free(ask);
	}
}

static void add_run(void *arg, const struct runrow *row)
{
	struct life_view *view = arg;

	if (view->run_count < LIFE_RUNS_MAX)
		view->runs[view->run_count++] = *row;
}

/* 1 read, 0 the row is gone, -1 failed. */
static int look(struct life *life, struct life_view *view, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	int found;

	*view = (struct life_view){0};
	if (store_read_begin(life->loop->config.store, &read, err) < 0)
		return -1;
	found = space_get(store_read_db(read), life->repo_id, &view->space, err);
	if (found <= 0)
		return found;
	found = place_waits(store_read_db(read), life->repo_id, err);
	if (found < 0 ||
	    runrow_each_open(store_read_db(read), life->repo_id, add_run, view, err) < 0)
		return -1;
	view->waits = found > 0;
	memcpy(life->hex, view->space.hex, sizeof(life->hex));
	if (strcmp(life->slug, view->space.slug) != 0)
		life->routed = false; /* by no entry of this name yet */
	memcpy(life->slug, view->space.slug, sizeof(life->slug));
	life->gone = view->space.deleting;
	life->read = true;
	return 1;
}

/* Make what the wish asks for, once its past is cleared away. */
static bool advance(struct life *life, const struct life_view *view)
{
	const struct space *space = &view->space;
	const struct runrow *target = life_target(view);

	if (space->paused || space->settled == space->generation || life->busy)
		return false;
	if (target)
		return life_ready(life, view, target);
	if (rests(life))
		return false;
	if (life_push(life, view))
		return true;
	if (life->busy)
		return false;
	if (!life_has_layer(life->loop, space->plan.env_layer))
		return life_build(life, view);
	return life_start(life, view);
}

/* One look and one act. False when there is nothing more to do for now. */
static bool step_once(struct life *life, bool *gone)
{
	struct life_view view;
	struct err err = ERR_INIT;
	int found = look(life, &view, &err);

	*gone = found == 0;
	if (found < 0) {
		log_error("space.look", "repo=%lld error=%s", (long long)life->repo_id, err.text);
		life_rest(life);
	}
	if (found <= 0)
		return false;
	if (life_exit(life, &view))
		return true;
	life_route(life, &view);
	life_rush_look(life, &view);
	if (*view.space.left_slug)
		return leave_name(life, &view.space);
	if (life_sleep(life, &view))
		return true;
	if (life_stop(life, &view) || life_queue_left(life, &view))
		return true;
	if (life_data(life, &view))
		return false;
	if (view.space.deleting)
		return life_delete(life, &view);
	return advance(life, &view);
}

/* Steps until nothing is left to do for now; the Space may be gone then. */
static void take_steps(struct life *life)
{
	bool gone = false;

	life->stands = false;
	for (unsigned i = 0; i < STEPS_MAX; i++) {
		if (step_once(life, &gone))
			continue;
		if (gone)
			life_forget(life);
		return;
	}
	log_error("space.spin", "space=%s", life->slug);
	life_rest(life);
}

static void step(void *arg)
{
	struct life *life = arg;
	struct space_loop *loop = life->loop;
	int64_t repo_id = life->repo_id;
	bool counted = life->stands || life->begun_ms;

	life->due_ms = 0;
	if (!loop->observed)
		return; /* all are woken when the engine has reported */
	take_steps(life);
	if (counted)
		life_rush_moved(loop);
	if (loop->config.changed)
		loop->config.changed(loop->config.changed_arg, repo_id);
}
