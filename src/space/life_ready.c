#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "space/life.h"

struct progress {
	const struct life *life;
	const struct space *space;
	const struct runrow *row;
	int64_t at_ms;
	int64_t wake_ms; /* so long somebody has waited for a Space that slept; 0: nobody has */
};

static int write_started(void *arg, struct store_db *db, struct err *err)
{
	const struct progress *progress = arg;
	const struct space *space = progress->space;

	if (runrow_started(db, progress->row, progress->at_ms, err) < 0 ||
	    (*space->storage &&
	     space_set_data(db, space->repo_id, life_data_bytes(progress->life->loop, space), err) <
		     0))
		return -1;
	return space_set_current(db, space->repo_id, progress->row->flavor, space->running_commit,
				 err);
}

static int write_ready(void *arg, struct store_db *db, struct err *err)
{
	const struct progress *progress = arg;

	if (runrow_ready(db, progress->row, progress->at_ms, err) < 0)
		return -1;
	if (space_set_depth(db, progress->space->repo_id, idle_depth_name(IDLE_AWAKE), err) < 0 ||
	    (progress->wake_ms &&
	     space_set_wake(db, progress->space->repo_id, progress->wake_ms, err) < 0))
		return -1;
	return space_set_current(db, progress->space->repo_id, progress->row->flavor,
				 progress->row->commit, err);
}

static int write_timeout(void *arg, struct store_db *db, struct err *err)
{
	const struct progress *progress = arg;

	return space_settle(db, progress->space, err);
}

static void failed(struct life *life, const struct err *err)
{
	if (err->kind == ERR_BUSY) /* the runner was restarted: nobody must act */
		log_debug("space.ready", "space=%s error=%s", life->slug, err->text);
	else
		log_error("space.ready", "space=%s error=%s", life->slug, err->text);
	life_rest(life);
}

/* Find the row of the run that has answered: rows may have changed since the probe began. */
static int look(struct life *life, struct space *space, struct runrow *row, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	int found;

	if (store_read_begin(life->loop->config.store, &read, err) < 0)
		return -1;
	found = space_get(store_read_db(read), life->repo_id, space, err);
	return found > 0 ? runrow_open(store_read_db(read), life->probed, row, err) : found;
}

static void on_answer(void *arg)
{
	struct life *life = arg;
	struct space space;
	struct runrow row;
	struct err err = ERR_INIT;
	struct progress progress = {life, &space, &row, clock_wall_ms(), life_waited_ms(life)};
	int found = look(life, &space, &row, &err);

	probe_free(take(life->probe));
	*life->probed = '\0';
	/* A version that comes up after the next push is no more wanted: life_stop() ends it. */
	if (found > 0 && row.generation == space.generation &&
	    life_move(life, &space, STAGE_EVENT_READY, "", write_ready, &progress, &err) < 0)
		found = -1;
	if (found < 0)
		failed(life, &err);
	else
		life_wake(life, 0);
}

static void watch(struct life *life, const struct engine_run *run)
{
	if (life->probe && strcmp(life->probed, run->key) == 0)
		return;
	probe_free(life->probe);
	life->probed_ms = clock_mono_ms();
	memcpy(life->probed, run->key, sizeof(life->probed));
	life->probe = probe_new(life->loop->loop, run->address, run->port, on_answer, life);
}

/* The app has had its time and has not answered: it is given up; life_stop() ends it. */
static bool time_out(struct life *life, const struct life_view *view, const struct runrow *row)
{
	owned(free) char *error = mem_format("no HTTP answer on port %u within %lld minutes",
					     (unsigned)view->space.plan.app_port,
					     (long long)(view->space.plan.startup_s / 60));
	struct progress progress = {.life = life, .space = &view->space, .row = row};
	struct err err = ERR_INIT;

	probe_free(take(life->probe));
	*life->probed = '\0';
	if (life_move(life, &view->space, STAGE_EVENT_FAILED, error, write_timeout, &progress,
		      &err) == 0)
		return true;
	failed(life, &err);
	return false;
}

bool life_ready(struct life *life, const struct life_view *view, const struct runrow *row)
{
	const struct life_fact *fact = life_fact(life->loop, row->key);
	struct err err = ERR_INIT;
	int64_t left_ms;

	if (!fact) {
		if (life_submit(life, view, row, &err) == 0)
			return true;
		failed(life, &err);
		return false;
	}
	if (fact->run.state != ENGINE_RUNNING)
		return false;
	if (!row->started_ms) {
		struct progress progress = {life, &view->space, row, fact->run.started_ms};

		if (life_move(life, &view->space, STAGE_EVENT_BUILT, "", write_started, &progress,
			      &err) == 0) {
			if (life->loop->spend) /* hours pass from now on */
				loop_timer_set(life->loop->spend, 0);
			return true;
		}
		failed(life, &err);
		return false;
	}
	if (row->ready_ms)
		return false;
	watch(life, &fact->run);
	left_ms = life->probed_ms + view->space.plan.startup_s * 1000 - clock_mono_ms();
	if (left_ms <= 0)
		return time_out(life, view, row);
	life_wake(life, left_ms);
	return false;
}
