#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/runlog.h"
#include "space/life.h"

/* The end of one run, as it is written down. */
struct end {
	const struct hardware *hardware;
	const struct space *space;
	const struct runrow *row;
	int64_t started_ms; /* as the engine says; the row may lack it. 0: never */
	int64_t at_ms;
	int status;
	char reason[256];
	bool last;    /* nothing of the Space runs any more */
	bool served;  /* it answered visitors, and no other run does */
	bool settles; /* the Space is not started again by itself */
	bool freed;   /* written: it had places on counted hardware */
};

/* Where another run follows, the hardware is this one's until that one has been started. */
static const char *current_after(const struct end *end)
{
	return space_wants_run(end->space) && !end->settles ? end->space->current_flavor : "";
}

static int write_end(void *arg, struct store_db *db, struct err *err)
{
	struct end *end = arg;
	int freed;

	/* It came and went while no hub looked: what it used counts all the same. */
	if (end->started_ms && runrow_started(db, end->row, end->started_ms, err) < 0)
		return -1;
	if (runrow_ended(db, end->row, end->at_ms, end->status, end->reason, err) < 0)
		return -1;
	if (end->last &&
	    space_set_current(db, end->space->repo_id, current_after(end), "", err) < 0)
		return -1;
	/* Asleep it was and stays, without a process from now on. */
	if (end->row->slept_ms &&
	    space_set_depth(db, end->space->repo_id, idle_depth_name(IDLE_STOPPED), err) < 0)
		return -1;
	if (end->settles && space_settle(db, end->space, err) < 0)
		return -1;
	freed = place_release(db, end->hardware, end->row, err);
	end->freed = freed > 0;
	return freed < 0 ? -1 : 0;
}

/* "16Gi", as people write it in a card; the limit may be no round number. */
static void size_text(uint64_t bytes, char *out, size_t room)
{
	static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti"};
	size_t unit = 0;

	while (unit + 1 < sizeof(units) / sizeof(*units) && bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(out, room, "%llu%s", (unsigned long long)bytes, units[unit]);
}

static void describe(const struct life *life, const struct life_fact *fact, struct end *end)
{
	char size[32];

	if (!fact || fact->run.exit_status == ENGINE_LOST) {
		snprintf(end->reason, sizeof(end->reason), "%s", RUNROW_LOST);
		end->status = ENGINE_LOST;
		end->at_ms = fact ? fact->run.ended_ms : clock_wall_ms();
		return;
	}
	end->status = fact->run.exit_status;
	end->at_ms = fact->run.ended_ms;
	size_text(hardware_limits(life->loop->config.hardware, end->row->flavor).memory_bytes, size,
		  sizeof(size));
	if (end->row->slept_ms)
		snprintf(end->reason, sizeof(end->reason), "stopped while it slept");
	else if (fact->run.oom)
		snprintf(end->reason, sizeof(end->reason),
			 "out of memory: the limit of %s was reached", size);
	else if (fact->run.exit_status < 0)
		snprintf(end->reason, sizeof(end->reason), "it could not be started: %.200s",
			 fact->run.reason);
	else if (fact->run.exit_status > 128)
		snprintf(end->reason, sizeof(end->reason), "ended by signal %d",
			 fact->run.exit_status - 128);
	else
		snprintf(end->reason, sizeof(end->reason), "exit status %d", fact->run.exit_status);
}

/* The reason with the end of the log behind it: what a client shows as errorMessage. */
static void error_text(const struct life *life, const struct end *end, const char *what,
		       char out[static SPACE_ERROR_ROOM])
{
	owned(free) char *path = life_log_path(life->loop, end->space->hex, "run", end->row->log);
	size_t used = (size_t)snprintf(out, SPACE_ERROR_ROOM, "%s%s", what, end->reason);
	size_t room = SPACE_ERROR_ROOM - 1 - used;
	owned(str_done) struct str tail = str_new(SPACE_ERROR_ROOM);

	if (used + 2 >= SPACE_ERROR_ROOM)
		return;
	runlog_tail(path, room - 1 < LIFE_ERROR_TAIL ? room - 1 : LIFE_ERROR_TAIL, &tail);
	if (tail.length > 0)
		snprintf(out + used, SPACE_ERROR_ROOM - used, "\n%s", tail.data);
}

/* Does the end of this run decide about the wish? */
static bool is_current(const struct space *space, const struct runrow *row)
{
	return row->generation == space->generation && row->restart_nonce == space->restart_nonce &&
	       space_wants_run(space);
}

/* How many times the app has crashed lately, this time included; a failed look counts as none. */
static int64_t crashes(const struct life *life, const struct end *end)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct runrow_history history = {0};
	struct err err = ERR_INIT;

	if (store_read_begin(life->loop->config.store, &read, &err) < 0 ||
	    runrow_history(store_read_db(read), end->space->repo_id, end->row->generation,
			   clock_wall_ms() - LIFE_CRASH_WINDOW_MS, &history, &err) < 0)
		log_warn("space.history", "error=%s", err.text);
	return history.crashes + 1;
}

/* Which event the end is for the Space, and what it says. */
static enum stage_event judge(struct life *life, struct end *end,
			      char error[static SPACE_ERROR_ROOM])
{
	bool innocent = strcmp(end->reason, RUNROW_LOST) == 0 || end->status == ENGINE_DEFERRED;

	*error = '\0';
	if (!is_current(end->space, end->row))
		return end->served ? STAGE_EVENT_OLD_GONE : STAGE_EVENT_NONE;
	if (end->row->slept_ms) { /* a visit starts it */
		end->settles = true;
		return STAGE_EVENT_NONE;
	}
	if (innocent)
		return STAGE_EVENT_CRASHED; /* the machine's fault: simply again */
	if (end->row->ready_ms && crashes(life, end) < LIFE_CRASHES_MAX)
		return STAGE_EVENT_CRASHED;
	end->settles = true;
	if (end->row->ready_ms) {
		error_text(life, end, "it ended again and again; the last time: ", error);
		return STAGE_EVENT_FAILED;
	}
	if (end->status == 0)
		return STAGE_EVENT_DONE;
	error_text(life, end, "", error);
	return STAGE_EVENT_FAILED;
}

static void close_log(const struct life *life, const struct end *end)
{
	owned(free) char *path = life_log_path(life->loop, end->space->hex, "run", end->row->log);

	if (runlog_is_over(path))
		return; /* another try, after the rows could not be written */
	runlog_say(path, "===== Application ended: %s =====", end->reason);
	if (end->status == ENGINE_DEFERRED)
		runlog_say(path, "the fault is this server's, and it tries again by itself");
	runlog_end(path);
}

static bool is_open_end(const struct life_view *view, const struct runrow *row,
			const struct life_fact *fact)
{
	if (fact)
		return fact->run.state == ENGINE_ENDED;
	/* The engine has never heard of it: the hub died before it could ask. */
	return row->started_ms != 0 || row != life_target(view);
}

static size_t ready_count(const struct life_view *view)
{
	size_t count = 0;

	for (size_t i = 0; i < view->run_count; i++)
		count += view->runs[i].ready_ms != 0;
	return count;
}

static bool end_run(struct life *life, const struct life_view *view, const struct runrow *row,
		    const struct life_fact *fact)
{
	struct end end = {.hardware = life->loop->config.hardware,
			  .space = &view->space,
			  .row = row,
			  .last = view->run_count == 1};
	char error[SPACE_ERROR_ROOM];
	struct err err = ERR_INIT;
	enum stage_event event;

	end.served = row->ready_ms && ready_count(view) == 1;
	end.started_ms = fact ? fact->run.started_ms : 0;
	describe(life, fact, &end);
	event = judge(life, &end, error);
	close_log(life, &end); /* before the stage says so: who sees it reads the whole log */
	if (life->probe && strcmp(life->probed, row->key) == 0) {
		probe_free(take(life->probe));
		*life->probed = '\0';
	}
	if (life_move(life, &view->space, event, error, write_end, &end, &err) < 0) {
		log_error("space.exit", "run=%s error=%s", row->key, err.text);
		life_rest(life);
		return false;
	}
	log_info("space.exit", "run=%s status=%d reason=\"%s\"", row->key, end.status, end.reason);
	if (fact)
		life_fact_drop(life->loop, row->key);
	if (end.freed)
		life_queue_moved(life->loop);
	if (end.status == ENGINE_DEFERRED)
		life_rest(life);
	return true;
}

bool life_exit(struct life *life, const struct life_view *view)
{
	for (size_t i = 0; i < view->run_count; i++) {
		const struct runrow *row = &view->runs[i];
		const struct life_fact *fact = life_fact(life->loop, row->key);

		if (is_open_end(view, row, fact))
			return end_run(life, view, row, fact);
	}
	return false;
}
