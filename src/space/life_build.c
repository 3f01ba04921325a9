#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/recipe.h"
#include "build/runlog.h"
#include "space/life.h"

/* What the crew does before a build: its own copies. */
struct making {
	struct space_loop *loop;
	struct space space;
	struct env env;
	struct err err;
};

static void making_free(struct making *making)
{
	if (!making)
		return;
	env_done(&making->env);
	free(making);
}
DEFINE_OWNED(struct making *, making_free);

static char *in_path(const struct space_loop *loop, const char *key)
{
	return mem_format("%s/run/in/%s", loop->config.dir, key);
}

static int prepare(struct making *making, struct err *err)
{
	const struct space *space = &making->space;
	owned(free) char *repo =
		mem_format("%s/repos/%s.git", making->loop->config.dir, space->hex);
	owned(free) char *folder = in_path(making->loop, space->plan.env_layer);
	owned(git_close) struct git *git = NULL;
	owned(card_done) struct card card = CARD_INIT;

	if (git_open(repo, &git, err) < 0 || life_card(git, space->commit, &card, err) < 0 ||
	    life_env(making->loop, space, git, &card, &making->env, err) < 0)
		return -1;
	return recipe_prepare(&making->env, repo, space->commit, folder, err);
}

/* In the crew. */
static void work(void *arg)
{
	struct making *making = arg;

	if (prepare(making, &making->err) < 0)
		err_in(&making->err, "prepare the build");
}

static int write_build(void *arg, struct store_db *db, struct err *err)
{
	struct runrow *row = arg;
	struct runrow open;
	int found = runrow_open(db, row->key, &open, err); /* of a hub that died before it asked */

	if (found > 0)
		*row = open;
	return found ? (found < 0 ? -1 : 0) : runrow_add(db, row, err);
}

static int write_settled(void *arg, struct store_db *db, struct err *err)
{
	return space_settle(db, arg, err);
}

/* The build of this Space has failed for good. */
static int fail(struct life *life, struct space *space, const char *error, struct err *err)
{
	owned(free) char *log = life_log_path(life->loop, space->hex, "build", space->build_log);

	runlog_say(log, "===== Build failed =====");
	runlog_end(log);
	return life_move(life, space, STAGE_EVENT_BUILD_FAILED, error, write_settled, space, err);
}

static int submit(struct making *making, struct err *err)
{
	struct space_loop *loop = making->loop;
	const struct space *space = &making->space;
	const char *layer = space->plan.env_layer;
	owned(recipe_done) struct recipe recipe = RECIPE_INIT;
	char log[32];
	struct engine_spec spec = {
		.kind = ENGINE_BUILD, .log = log, .limits = loop->config.build_limits};
	struct engine_run run = {.kind = ENGINE_BUILD, .state = ENGINE_STARTING};

	snprintf(log, sizeof(log), "build-%lld.log", (long long)space->build_log);
	snprintf(spec.key, sizeof(spec.key), "%s", layer);
	memcpy(spec.space, space->hex, sizeof(spec.space));
	recipe_write(&making->env, &loop->config.base, layer, space->plan.env_cache, &recipe,
		     &spec);
	if (loop->engine->ops->submit(loop->engine, &spec, err) < 0)
		return -1;
	memcpy(run.key, spec.key, sizeof(run.key));
	memcpy(run.space, spec.space, sizeof(run.space));
	if (!life_fact(loop, spec.key))
		life_fact_put(loop, &run);
	return 0;
}

static int lead(struct making *making, struct life *life, struct err *err)
{
	const struct space *space = &making->space;
	struct runrow row = {
		.kind = ENGINE_BUILD,
		.repo_id = space->repo_id,
		.generation = space->generation,
		.log = space->build_log,
	};

	snprintf(row.key, sizeof(row.key), "%s", space->plan.env_layer);
	memcpy(row.commit, space->commit, sizeof(row.commit));
	memcpy(row.env_layer, space->plan.env_layer, sizeof(row.env_layer));
	if (life_move(life, space, STAGE_EVENT_NONE, "", write_build, &row, err) < 0)
		return -1;
	return submit(making, err);
}

/* Those that wait for this environment look again. */
static void wake_waiting(struct space_loop *loop, const char *layer)
{
	for (struct life *life = loop->lives; life; life = life->next)
		if (strcmp(life->waits_for, layer) == 0)
			life_wake(life, 0);
}

static int go_on(struct making *making, struct life *life, struct err *err)
{
	if (making->err.kind == ERR_NONE)
		return lead(making, life, err);
	if (err_may_pass(&making->err)) {
		*err = making->err;
		return -1;
	}
	return fail(life, &making->space, making->err.text, err);
}

/* Back in the loop. */
static void done(void *arg)
{
	owned(making_free) struct making *making = arg;
	struct space_loop *loop = making->loop;
	struct life *life = life_of(loop, making->space.repo_id);
	struct err err = ERR_INIT;

	life->busy = false;
	*life->prepares = '\0';
	if (loop->ending)
		return;
	if (go_on(making, life, &err) < 0) {
		life_put_off(life, &making->space, &err);
		log_warn("space.build", "space=%s error=%s", making->space.full_name, err.text);
	} else {
		life_wake(life, 0);
	}
	wake_waiting(loop, making->space.plan.env_layer);
}

static const struct life *preparing(const struct space_loop *loop, const char *layer)
{
	const struct life *life = loop->lives;

	while (life && strcmp(life->prepares, layer) != 0)
		life = life->next;
	return life;
}

/* Somebody else makes it: the log of this Space says so, once. */
static void attach(struct life *life, const struct space *space, const char *log,
		   const char *leader)
{
	if (strcmp(life->waits_for, space->plan.env_layer) == 0 || strcmp(leader, space->hex) == 0)
		return;
	memcpy(life->waits_for, space->plan.env_layer, sizeof(life->waits_for));
	runlog_say(log,
		   "waiting for the environment layer %s, which is being built for another Space",
		   space->plan.env_layer);
}

bool life_build(struct life *life, const struct life_view *view)
{
	const struct space *space = &view->space;
	const struct life_fact *fact = life_fact(life->loop, space->plan.env_layer);
	const struct life *other = preparing(life->loop, space->plan.env_layer);
	owned(free) char *log = life_log_path(life->loop, space->hex, "build", space->build_log);
	struct making *making;
	struct err err = ERR_INIT;

	if (stage_next(space->stage, STAGE_EVENT_UNBUILT, false) != space->stage)
		return life_move(life, space, STAGE_EVENT_UNBUILT, "", NULL, NULL, &err) == 0;
	if (runlog_is_over(log))
		return life_new_build_log(life, space);
	if (fact || other) { /* an ended one is taken care of by life_built() */
		attach(life, space, log, fact ? fact->run.space : other->hex);
		return false;
	}
	making = mem_new(struct making);
	making->loop = life->loop;
	making->space = *space;
	life->busy = true;
	memcpy(life->prepares, space->plan.env_layer, sizeof(life->prepares));
	crew_do(life->loop->crew, work, done, making);
	return false;
}

/* --- the end of a build --- */

struct outcome {
	struct space_loop *loop;
	const struct life_fact *fact;
	bool has_row;
	struct runrow row;
	struct str tail; /* of the leader's log */
	bool made;
	bool retry; /* once more, for each owner alone */
	char error[SPACE_ERROR_ROOM];
	bool unfinished; /* something could not be written */
	int64_t *waiting;
	size_t waiting_count;
};

/* What to show as errorMessage: the reason, or what uv says, which begins with "error:". */
static void explain(struct outcome *outcome)
{
	const struct engine_run *run = &outcome->fact->run;
	const char *said = outcome->tail.data;
	size_t length;

	if (run->oom) {
		snprintf(outcome->error, sizeof(outcome->error), "the build ran out of memory");
		return;
	}
	if (run->exit_status < 0) {
		snprintf(outcome->error, sizeof(outcome->error), "the build could not run: %s",
			 run->reason);
		return;
	}
	if (strstr(said, strerrordesc_np(ENOSPC))) {
		snprintf(
			outcome->error, sizeof(outcome->error),
			"this server's disk was full: when there is room again, restart the Space");
		return;
	}
	for (const char *at = said; (at = strstr(at, "error:")); at++)
		if (at == outcome->tail.data || at[-1] == '\n')
			said = at;
	length = strlen(said);
	if (said == outcome->tail.data && length > LIFE_ERROR_TAIL)
		said += length - LIFE_ERROR_TAIL;
	while ((*said & 0xc0) == 0x80)
		said++;
	snprintf(outcome->error, sizeof(outcome->error), "%.*s", LIFE_ERROR_TAIL,
		 *said ? said : "the build failed");
}

static void add_waiting(void *arg, int64_t repo_id)
{
	struct outcome *outcome = arg;

	outcome->waiting =
		mem_grow(outcome->waiting, outcome->waiting_count + 1, sizeof(*outcome->waiting));
	outcome->waiting[outcome->waiting_count++] = repo_id;
}

/* Who led, who waits, and what the log says. */
static int investigate(struct outcome *outcome, struct err *err)
{
	struct space_loop *loop = outcome->loop;
	const struct engine_run *run = &outcome->fact->run;
	owned(store_read_end) struct store_read *read = NULL;
	owned(free) char *log = NULL;
	int found;

	if (store_read_begin(loop->config.store, &read, err) < 0)
		return -1;
	found = runrow_open(store_read_db(read), run->key, &outcome->row, err);
	if (found < 0 ||
	    space_each_waiting(store_read_db(read), run->key, add_waiting, outcome, err) < 0)
		return -1;
	outcome->has_row = found > 0;
	outcome->made = run->exit_status == 0 && life_has_layer(loop, run->key);
	if (!outcome->has_row || outcome->made)
		return 0;
	log = life_log_path(loop, run->space, "build", outcome->row.log);
	runlog_tail(log, RUNLOG_TAIL_MAX, &outcome->tail);
	outcome->retry = recipe_needs_sources(outcome->tail.data);
	return 0;
}

static int write_own_layer(void *arg, struct store_db *db, struct err *err)
{
	struct space *space = arg;
	struct space_plan plan = space->plan;

	memcpy(plan.env_layer, plan.env_own, sizeof(plan.env_layer));
	memcpy(plan.env_cache, space->owner_hex, sizeof(plan.env_cache));
	return space_set_plan(db, space->repo_id, &plan, err);
}

/* Tell one Space that waited. */
static int tell(struct outcome *outcome, struct life *life, struct space *space, struct err *err)
{
	owned(free) char *log = life_log_path(life->loop, space->hex, "build", space->build_log);
	bool leads = strcmp(outcome->fact->run.space, space->hex) == 0;
	struct err refusal;

	*life->waits_for = '\0';
	if (outcome->made)
		return 0;
	if (outcome->fact->run.exit_status == ENGINE_LOST) { /* simply again */
		runlog_say(log, "the build was interrupted; it begins anew");
		return 0;
	}
	if (outcome->fact->run.exit_status == ENGINE_DEFERRED) {
		err_set(&refusal, ERR_BUSY, "%s", outcome->error);
		life_put_off(life, space, &refusal);
		return 0;
	}
	if (!leads && outcome->tail.length > 0)
		runlog_say(log, "%s", outcome->error);
	if (outcome->retry && strcmp(space->plan.env_cache, RECIPE_SHARED) == 0) {
		runlog_say(log, "building from source, for %.*s alone",
			   (int)strcspn(space->full_name, "/"), space->full_name);
		return life_move(life, space, STAGE_EVENT_NONE, "", write_own_layer, space, err);
	}
	return fail(life, space, outcome->error, err);
}

static void tell_waiting(struct outcome *outcome, int64_t repo_id)
{
	struct life *life = life_of(outcome->loop, repo_id);
	owned(store_read_end) struct store_read *read = NULL;
	struct space space;
	struct err err = ERR_INIT;
	int found;

	if (store_read_begin(outcome->loop->config.store, &read, &err) < 0)
		found = -1;
	else
		found = space_get(store_read_db(read), repo_id, &space, &err);
	store_read_end(take(read));
	if (found > 0 && tell(outcome, life, &space, &err) < 0)
		found = -1;
	if (found < 0) {
		log_error("space.built", "repo=%lld error=%s", (long long)repo_id, err.text);
		outcome->unfinished = true;
	}
	life_wake(life, 0);
}

static int write_ended(struct outcome *outcome, struct err *err)
{
	const struct engine_run *run = &outcome->fact->run;
	owned(store_tx_end) struct store_tx *tx = NULL;

	if (!outcome->has_row)
		return 0;
	if (store_tx_begin(outcome->loop->config.store, &tx, err) < 0 ||
	    runrow_ended(store_tx_db(tx), &outcome->row, run->ended_ms, run->exit_status,
			 run->reason, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

static void finish(struct outcome *outcome, struct err *err)
{
	struct space_loop *loop = outcome->loop;
	char key[ENGINE_KEY_ROOM];
	owned(free) char *in = NULL;
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < outcome->waiting_count; i++)
		tell_waiting(outcome, outcome->waiting[i]);
	if (outcome->unfinished || write_ended(outcome, err) < 0)
		return;
	memcpy(key, outcome->fact->run.key, sizeof(key));
	life_fact_drop(loop, key);
	in = in_path(loop, key);
	if (file_remove_tree(AT_FDCWD, in, &ignored) < 0) /* a tmpfs: gone with the next boot */
		log_warn("space.built", "key=%s error=%s", key, ignored.text);
	/* A Space that is deleted waits for its build's end, too. */
	if (outcome->has_row)
		life_wake(life_of(loop, outcome->row.repo_id), 0);
}

void life_built(struct space_loop *loop, const struct life_fact *fact)
{
	struct outcome outcome = {.loop = loop, .fact = fact, .tail = str_new(RUNLOG_TAIL_MAX)};
	struct err err = ERR_INIT;

	log_info("space.built", "key=%s status=%d", fact->run.key, fact->run.exit_status);
	if (investigate(&outcome, &err) == 0) {
		explain(&outcome);
		finish(&outcome, &err);
	}
	if (err.kind != ERR_NONE || outcome.unfinished) {
		log_error("space.built", "key=%s error=%s", fact->run.key, err.text);
		loop_timer_set(loop->observe, loop->config.retry_ms); /* and tell them again */
	}
	str_done(&outcome.tail);
	free(outcome.waiting);
}
