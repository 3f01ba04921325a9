#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/app.h"
#include "build/recipe.h"
#include "build/runlog.h"
#include "space/appenv.h"
#include "space/life.h"

static const char streamlit[] = "streamlit";

/* What starts an app of each SDK; "@" stands for its file. The rest is told by environment. */
static const struct {
	const char *sdk;
	const char *argv[8];
} commands[] = {
	{"gradio", {"/opt/venv/bin/python", "@", NULL}},
	{streamlit, {"/opt/venv/bin/python", "-m", "streamlit", "run", "@", NULL}},
};

/* Where the repository lies inside of the container. */
static const char app_folder[] = "/home/user/app";

static void fill_argv(const struct space_plan *plan, const char **out)
{
	size_t kind = strcmp(plan->sdk, commands[1].sdk) == 0;
	size_t count = 0;

	for (const char *const *word = commands[kind].argv; *word; word++)
		out[count++] = strcmp(*word, "@") == 0 ? plan->app_file : *word;
	out[count] = NULL;
}

/* A simulated one would only mislead the app. */
static const char *accelerator_of(const struct hardware *hardware, const char *name)
{
	const struct hardware_flavor *flavor = hardware_find(hardware, name);

	return flavor && flavor->quantity > 0 && !flavor->simulated ? flavor->name : NULL;
}

static int make_env(const struct life *life, const struct space *space, const struct runrow *row,
		    struct appenv *out, struct err *err)
{
	const struct space_loop_config *config = &life->loop->config;
	const struct engine_limits limits = hardware_limits(config->hardware, row->flavor);
	owned(store_read_end) struct store_read *read = NULL;
	owned(free) char *host = appenv_host(space->slug, config->domain, config->port);
	const struct appenv_facts facts = {
		.host = host,
		.hub_url = config->hub_url,
		.cpu_milli = limits.cpu_milli,
		.memory_bytes = limits.memory_bytes,
		.accelerator = accelerator_of(config->hardware, row->flavor),
		.has_data = *space->storage != '\0',
	};

	if (store_read_begin(config->store, &read, err) < 0)
		return -1;
	return appenv_make(store_read_db(read), config->vault, space, &facts, out, err);
}

/* By the operator's list? Its entries are of a whole owner, or of one Space. */
static bool is_listed(const char *const *list, const char *full_name)
{
	size_t owner = strcspn(full_name, "/");

	for (; list && *list; list++)
		if (strcasecmp(*list, full_name) == 0 ||
		    (strlen(*list) == owner && strncasecmp(*list, full_name, owner) == 0))
			return true;
	return false;
}

/* The cards that the run was given when its row was written; a count is no device. */
static int read_cards(const struct life *life, const struct runrow *row, struct places *out,
		      struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(life->loop->config.store, &read, err) < 0)
		return -1;
	return place_of_run(store_read_db(read), row->id, out, err);
}

static void add_devices(const struct places *places, struct engine_spec *spec)
{
	for (size_t i = 0; i < places->count; i++)
		if (engine_device_is(places->items[i].name))
			spec->devices[spec->device_count++] = places->items[i].name;
}

static int submit(struct life *life, const struct space *space, const struct runrow *row,
		  struct err *err)
{
	struct engine *engine = life->loop->engine;
	owned(appenv_done) struct appenv env = APPENV_INIT;
	struct places cards;
	const char *argv[8];
	char app[APP_LAYER_ROOM];
	char log[32];
	struct engine_spec spec = {
		.kind = ENGINE_APP,
		.log = log,
		.layers = {row->env_layer, app},
		.layer_count = 2,
		.argv = argv,
		.cwd = app_folder,
		.port = space->plan.app_port,
		.closed = space->plan.closed ||
			  is_listed(life->loop->config.closed, space->full_name),
		.limits = hardware_limits(life->loop->config.hardware, row->flavor),
		.data_bytes = life_data_bytes(life->loop, space),
	};

	if (make_env(life, space, row, &env, err) < 0 || read_cards(life, row, &cards, err) < 0)
		return -1;
	add_devices(&cards, &spec);
	spec.env = (const char *const *)env.vars;
	if (strcmp(space->plan.sdk, streamlit) == 0)
		spec.secrets_from = env.secrets_from;
	fill_argv(&space->plan, argv);
	app_layer_name(space->hex, row->commit, app);
	snprintf(log, sizeof(log), "run-%lld.log", (long long)row->log);
	memcpy(spec.key, row->key, sizeof(spec.key));
	memcpy(spec.space, space->hex, sizeof(spec.space));
	return engine->ops->submit(engine, &spec, err);
}

int life_submit(struct life *life, const struct life_view *view, const struct runrow *row,
		struct err *err)
{
	struct engine_run run = {.kind = ENGINE_APP, .state = ENGINE_STARTING};
	struct err refusal = ERR_INIT;

	memcpy(run.key, row->key, sizeof(run.key));
	memcpy(run.space, view->space.hex, sizeof(run.space));
	if (submit(life, &view->space, row, &refusal) < 0) {
		if (refusal.kind != ERR_INVALID) {
			*err = refusal;
			return -1;
		}
		/* It never will: as if the engine had tried. */
		run.state = ENGINE_ENDED;
		run.exit_status = -1;
		run.ended_ms = clock_wall_ms();
		snprintf(run.reason, sizeof(run.reason), "%.*s", (int)sizeof(run.reason) - 1,
			 refusal.text);
	}
	if (!life_fact(life->loop, run.key))
		life_fact_put(life->loop, &run);
	return 0;
}

/* May the app be started now, or when? 0 is now. */
static int wait_ms(const struct life *life, const struct space *space, int64_t *out, int64_t *runs,
		   struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct runrow_history history;
	int64_t now_ms = clock_wall_ms();
	int64_t pause_ms;
	int64_t left_ms;

	if (store_read_begin(life->loop->config.store, &read, err) < 0 ||
	    runrow_history(store_read_db(read), space->repo_id, space->generation,
			   now_ms - LIFE_CRASH_WINDOW_MS, &history, err) < 0)
		return -1;
	*runs = history.runs;
	*out = 0;
	if (history.crashes == 0)
		return 0;
	pause_ms = life->loop->config.backoff_ms
		   << (history.crashes - 1 < LIFE_CRASHES_MAX ? history.crashes - 1
							      : LIFE_CRASHES_MAX);
	left_ms = history.last_crash_ms + pause_ms - now_ms;
	*out = left_ms > 0 && left_ms <= pause_ms ? left_ms : 0; /* more: the clock was set back */
	return 0;
}

/* More changes may follow the newest one. A clock that was set back doesn't make it last longer. */
static int64_t settle_ms(const struct life *life, const struct space *space)
{
	int64_t most_ms = life->loop->config.settle_ms;
	int64_t left_ms = space->settles_ms + most_ms - clock_wall_ms();

	return left_ms > 0 && left_ms <= most_ms ? left_ms : 0;
}

/* A run about to begin. */
struct beginning {
	struct runrow row;
	struct places places;
};

static int write_run(void *arg, struct store_db *db, struct err *err)
{
	struct beginning *beginning = arg;
	struct runrow *row = &beginning->row;

	if (space_next_run_log(db, row->repo_id, &row->log, err) < 0 ||
	    runrow_add(db, row, err) < 0)
		return -1;
	return place_take(db, row, &beginning->places, err);
}

/* The build is over: its log ends with what was used. */
static void close_build_log(const struct life *life, const struct space *space)
{
	owned(free) char *log = life_log_path(life->loop, space->hex, "build", space->build_log);

	if (runlog_is_over(log))
		return;
	runlog_say(log, "using the environment layer %s (%s)", space->plan.env_layer,
		   strcmp(space->plan.env_cache, RECIPE_SHARED) == 0 ? "shared" : "the owner's");
	runlog_say(log, "===== Build finished =====");
	runlog_end(log);
}

static void open_run_log(const struct life *life, const struct space *space, int64_t number)
{
	owned(free) char *log = life_log_path(life->loop, space->hex, "run", number);
	char stamp[CLOCK_STAMP_MAX];

	life_logs(life->loop, space->hex, "run", number);
	runlog_say(log,
		   "===== Application Startup at %s =====", clock_stamp(clock_wall_ms(), stamp));
}

/* A run of before a restart must be gone first. */
static bool must_wait(const struct life_view *view)
{
	for (size_t i = 0; i < view->run_count; i++)
		if (view->runs[i].restart_nonce != view->space.restart_nonce)
			return true;
	return view->run_count == LIFE_RUNS_MAX;
}

/* Another start of one generation is another run to the engine. */
static void name_run(const struct space *space, int64_t runs, struct runrow *row)
{
	int length = snprintf(row->key, sizeof(row->key), "%s-%lld", space->hex,
			      (long long)space->generation);

	if (runs > 0)
		snprintf(row->key + length, sizeof(row->key) - (size_t)length, "-%lld",
			 (long long)runs);
}

/*
 * Two can't have the same card, nor write to one disk: an older version gives up its visitors, and
 * ends. Its end is the next step's cause.
 */
static bool yield(struct life *life, const struct space *space)
{
	bool is_up = space->stage == STAGE_RUNNING || space->stage == STAGE_SLEEPING;
	enum stage_event event = is_up ? STAGE_EVENT_REWISHED : STAGE_EVENT_BUILT;
	struct err err = ERR_INIT;

	if (life_yields(life, space))
		return false;
	if (life_move(life, space, event, "", NULL, NULL, &err) < 0) {
		log_error("space.start", "space=%s error=%s", space->full_name, err.text);
		life_rest(life);
		return false;
	}
	life->yields_to = space->generation;
	life_rush_begin(life);
	return true;
}

static bool begin(struct life *life, const struct space *space, int64_t runs,
		  struct beginning *beginning, struct err *err)
{
	struct runrow *row = &beginning->row;

	*row = (struct runrow){
		.kind = ENGINE_APP,
		.repo_id = space->repo_id,
		.generation = space->generation,
		.restart_nonce = space->restart_nonce,
		.price = hardware_price(life->loop->config.hardware, space->flavor),
	};
	name_run(space, runs, row);
	memcpy(row->commit, space->commit, sizeof(row->commit));
	memcpy(row->flavor, space->flavor, sizeof(row->flavor));
	memcpy(row->env_layer, space->plan.env_layer, sizeof(row->env_layer));
	if (life_move(life, space, STAGE_EVENT_BUILT, "", write_run, beginning, err) < 0)
		return false;
	open_run_log(life, space, row->log);
	return true;
}

bool life_start(struct life *life, const struct life_view *view)
{
	const struct space *space = &view->space;
	struct beginning beginning;
	enum life_turn turn = LIFE_TURN_FAILED;
	struct err err = ERR_INIT;
	int64_t after_ms = settle_ms(life, space);
	int64_t runs = 0;

	if (must_wait(view))
		return false; /* the end of that run is the next step's cause */
	if (after_ms > 0) {
		life_wake(life, after_ms);
		return false;
	}
	if (wait_ms(life, space, &after_ms, &runs, &err) == 0 && after_ms > 0) {
		life_wake(life, after_ms);
		return false;
	}
	close_build_log(life, space);
	if (err.kind == ERR_NONE)
		turn = life_turn(life, view, &beginning.places, &err);
	if (turn == LIFE_TURN_CHANGED || turn == LIFE_TURN_NOT_YET)
		return turn == LIFE_TURN_CHANGED;
	if (turn != LIFE_TURN_FAILED && !life_rush_admits(life))
		return false;
	if (turn == LIFE_TURN_AFTER_OLD)
		return yield(life, space);
	if (turn == LIFE_TURN_NOW && begin(life, space, runs, &beginning, &err)) {
		life_rush_begin(life);
		if (view->waits) /* it was before others */
			life_queue_moved(life->loop);
		return true;
	}
	log_error("space.start", "space=%s error=%s", space->full_name, err.text);
	life_rest(life);
	return false;
}
