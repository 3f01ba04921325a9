#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/app.h"
#include "build/env.h"
#include "build/recipe.h"
#include "build/runlog.h"
#include "repo/git.h"
#include "space/card.h"
#include "space/life.h"

/* The link in layers/ that names the base system, once it is made (runner/basesystem.h). */
#define BASE_LINK "base"

enum {
	BASE_NAME_ROOM = 64,
	BASE_PAUSE_MS = 250, /* looks for the base system while it is made */
};

/* What the crew does for one Space and one commit: everything in it is its own copy. */
struct reading {
	struct space_loop *loop;
	struct space space;
	char *log;
	struct space_plan plan; /* the outcome */
	enum stage_event event; /* BUILT, or what went wrong: */
	struct err err;
};

static void reading_free(struct reading *reading)
{
	if (!reading)
		return;
	free(reading->log);
	free(reading);
}
DEFINE_OWNED(struct reading *, reading_free);

static char *repo_path(const struct reading *reading)
{
	return mem_format("%s/repos/%s.git", reading->loop->config.dir, reading->space.hex);
}

int life_card(struct git *git, const char *commit, struct card *out, struct err *err)
{
	owned(git_blob_release) struct git_blob *blob = NULL;
	struct git_entry entry;
	const char *bytes;
	size_t length;

	if (git_entry(git, commit, "README.md", &entry, err) < 0) {
		if (err->kind != ERR_NO_ENTRY)
			return -1;
		*err = ERR_INIT;
		return card_parse("", 0, out, err);
	}
	if (entry.is_dir || entry.size > CARD_README_MAX)
		return err_set(err, ERR_INVALID, "README.md is a folder, or larger than %d bytes",
			       CARD_README_MAX);
	if (git_blob_open(git, entry.oid, &blob, err) < 0)
		return -1;
	bytes = git_blob_bytes(blob, &length);
	return card_parse(bytes, length, out, err);
}

/* Only what can be run; what the card says wins over what the repository was made with. */
static int check_sdk(const struct space *space, const struct card *card, const char **out,
		     struct err *err)
{
	*out = *card->sdk ? card->sdk : space->sdk;
	if (strcmp(*out, "gradio") == 0 || strcmp(*out, "streamlit") == 0)
		return 0;
	return err_set(err, ERR_INVALID, "%s Spaces are not supported yet", **out ? *out : "such");
}

/* The base system's Python is the only one; who insists on another is told so. */
static int check_python(const struct reading *reading, const struct card *card, struct err *err)
{
	const char *have = reading->loop->config.base.python_version;
	const char *want = card->python_version;
	bool insists = strncmp(want, "==", 2) == 0;
	size_t length = strlen(have);

	want += insists ? 2 : 0;
	if (*want == '\0' ||
	    (strncmp(want, have, length) == 0 && (want[length] == '\0' || want[length] == '.')))
		return 0;
	if (insists)
		return err_set(err, ERR_INVALID, "python_version is %.40s, this hub has Python %s",
			       card->python_version, have);
	runlog_say(reading->log, "python_version is %.40s, this hub has Python %s: trying with it",
		   card->python_version, have);
	return 0;
}

/* 1 there, 0 missing, -1 failed. */
static int has_app_file(struct git *git, const char *commit, const char *path, struct err *err)
{
	struct git_entry entry;

	if (git_entry(git, commit, path, &entry, err) == 0)
		return !entry.is_dir;
	if (err->kind != ERR_NO_ENTRY)
		return -1;
	*err = ERR_INIT;
	return 0;
}

static void plan_from_card(struct reading *reading, const struct card *card, const char *sdk)
{
	struct space_plan *plan = &reading->plan;

	memcpy(plan->commit, reading->space.commit, sizeof(plan->commit));
	plan->factory = reading->space.factory_nonce;
	snprintf(plan->sdk, sizeof(plan->sdk), "%s", sdk);
	memcpy(plan->app_file, card->app_file, sizeof(plan->app_file));
	plan->app_port = card->app_port ? card->app_port : card_port(sdk);
	memcpy(plan->title, card->title, sizeof(plan->title));
	plan->startup_s = card->startup_s;
	plan->closed = card->closed;
}

/* The name of the base system that builds and apps get now. */
static int read_base(const struct space_loop *loop, char out[static BASE_NAME_ROOM],
		     struct err *err)
{
	owned(free) char *link = mem_format("%s/layers/" BASE_LINK, loop->config.dir);
	ssize_t length = readlink(link, out, BASE_NAME_ROOM - 1);

	if (length < 0)
		return err_sys(err, "find the base system");
	out[length] = '\0';
	return 0;
}

int life_env(const struct space_loop *loop, const struct space *space, struct git *git,
	     const struct card *card, struct env *out, struct err *err)
{
	struct env_wish wish = {
		.commit = space->commit,
		.sdk_version = card->sdk_version,
		.hf_oauth = card->hf_oauth,
		.owner = space->owner_hex,
		.hex = space->hex,
		.factory = space->factory_nonce,
		.now_s = clock_wall_ms() / 1000,
	};

	struct env_base base = loop->config.base;
	char name[BASE_NAME_ROOM];

	base.base = name;
	if (check_sdk(space, card, &wish.sdk, err) < 0 || read_base(loop, name, err) < 0)
		return -1;
	return env_read(git, &base, &wish, out, err);
}

static int plan_env(struct reading *reading, struct git *git, const struct card *card,
		    struct err *err)
{
	owned(env_done) struct env env = ENV_INIT;
	struct space_plan *plan = &reading->plan;
	bool shared;

	if (life_env(reading->loop, &reading->space, git, card, &env, err) < 0)
		return -1;
	shared = *env.shared != '\0';
	/* A shared layer may have been impossible before, and the owner's is there. */
	if (life_has_layer(reading->loop, env.own) && !life_has_layer(reading->loop, env.shared))
		shared = false;
	memcpy(plan->env_layer, shared ? env.shared : env.own, sizeof(plan->env_layer));
	memcpy(plan->env_own, env.own, sizeof(plan->env_own));
	snprintf(plan->env_cache, sizeof(plan->env_cache), "%s",
		 shared ? RECIPE_SHARED : reading->space.owner_hex);
	return 0;
}

/* Same commit, same factory count: what was built for it stays, though a week may have passed. */
static void keep_environment(struct reading *reading)
{
	const struct space_plan *old = &reading->space.plan;
	struct space_plan *plan = &reading->plan;

	if (strcmp(old->commit, plan->commit) != 0 || old->factory != plan->factory ||
	    !life_has_layer(reading->loop, old->env_layer))
		return;
	memcpy(plan->env_layer, old->env_layer, sizeof(plan->env_layer));
	memcpy(plan->env_cache, old->env_cache, sizeof(plan->env_cache));
}

static int make_plan(struct reading *reading, struct err *err)
{
	owned(free) char *path = repo_path(reading);
	owned(free) char *layers = mem_format("%s/layers", reading->loop->config.dir);
	owned(git_close) struct git *git = NULL;
	owned(card_done) struct card card = CARD_INIT;
	const char *commit = reading->space.commit;
	const char *sdk;
	int there;

	reading->event = STAGE_EVENT_NO_APP;
	if (*commit == '\0')
		return err_set(err, ERR_NO_ENTRY, "nothing was pushed yet");
	reading->event = STAGE_EVENT_BAD_CONFIG;
	if (git_open(path, &git, err) < 0 || life_card(git, commit, &card, err) < 0 ||
	    check_sdk(&reading->space, &card, &sdk, err) < 0)
		return -1;
	reading->event = STAGE_EVENT_NO_APP;
	there = has_app_file(git, commit, card.app_file, err);
	if (there <= 0)
		return there < 0 ? -1
				 : err_set(err, ERR_NO_ENTRY, "the app file %.200s is missing",
					   card.app_file);
	reading->event = STAGE_EVENT_BAD_CONFIG;
	if (check_python(reading, &card, err) < 0)
		return -1;
	plan_from_card(reading, &card, sdk);
	reading->event = STAGE_EVENT_BUILD_FAILED;
	if (plan_env(reading, git, &card, err) < 0)
		return -1;
	keep_environment(reading);
	if (app_layer_make(path, reading->space.hex, commit, layers, err) < 0)
		return -1;
	reading->event = STAGE_EVENT_BUILT;
	return 0;
}

/* In the crew. */
static void work(void *arg)
{
	struct reading *reading = arg;
	char stamp[CLOCK_STAMP_MAX];

	life_logs(reading->loop, reading->space.hex, "build", reading->space.build_log);
	if (!runlog_is_over(reading->log))
		runlog_say(reading->log, "===== Build Queued at %s / Commit SHA: %.7s =====",
			   clock_stamp(clock_wall_ms(), stamp), reading->space.commit);
	if (make_plan(reading, &reading->err) < 0)
		log_debug("space.read", "space=%s error=%s", reading->space.full_name,
			  reading->err.text);
}

static int write_plan(void *arg, struct store_db *db, struct err *err)
{
	const struct reading *reading = arg;

	if (reading->event == STAGE_EVENT_BUILT)
		return space_set_plan(db, reading->space.repo_id, &reading->plan, err);
	return space_settle(db, &reading->space, err);
}

/* Back in the loop. */
static void done(void *arg)
{
	owned(reading_free) struct reading *reading = arg;
	struct life *life = life_of(reading->loop, reading->space.repo_id);
	struct err err = ERR_INIT;
	/* The plan alone changes no stage: the environment may have to be made first. */
	enum stage_event event =
		reading->event == STAGE_EVENT_BUILT ? STAGE_EVENT_NONE : reading->event;

	life->busy = false;
	if (reading->loop->ending)
		return;
	if (err_may_pass(&reading->err)) {
		log_warn("space.push", "space=%s error=%s", reading->space.full_name,
			 reading->err.text);
		life_put_off(life, &reading->space, &reading->err);
		return;
	}
	if (event != STAGE_EVENT_NONE && !runlog_is_over(reading->log)) {
		runlog_say(reading->log, "===== %s =====", reading->err.text);
		runlog_end(reading->log);
	}
	if (life_move(life, &reading->space, event,
		      event == STAGE_EVENT_NO_APP ? "" : reading->err.text, write_plan, reading,
		      &err) == 0) {
		life_wake(life, 0);
		return;
	}
	log_error("space.push", "space=%s error=%s", reading->space.full_name, err.text);
	life_rest(life);
}

static int write_log_number(void *arg, struct store_db *db, struct err *err)
{
	const struct space *space = arg;
	int64_t number;

	return space_next_build_log(db, space->repo_id, &number, err);
}

static bool is_read(const struct space *space)
{
	return *space->commit && strcmp(space->plan.commit, space->commit) == 0 &&
	       space->plan.factory == space->factory_nonce;
}

bool life_new_build_log(struct life *life, const struct space *space)
{
	struct space copy = *space;
	struct err err = ERR_INIT;

	if (life_move(life, space, STAGE_EVENT_NONE, "", write_log_number, &copy, &err) == 0)
		return true;
	log_error("space.log", "space=%s error=%s", space->full_name, err.text);
	life_rest(life);
	return false;
}

/* Once for each wait. */
static void say_waiting(struct life *life, const struct space *space, const char *log)
{
	if (strcmp(life->waits_for, BASE_LINK) == 0)
		return;
	snprintf(life->waits_for, sizeof(life->waits_for), BASE_LINK);
	life_logs(life->loop, space->hex, "build", space->build_log);
	runlog_say(log, "waiting for the base system of all Spaces: it is made once, at the first "
			"start of the hub");
}

bool life_push(struct life *life, const struct life_view *view)
{
	const struct space *space = &view->space;
	owned(free) char *log = life_log_path(life->loop, space->hex, "build", space->build_log);
	char layer[APP_LAYER_ROOM];
	struct reading *reading;

	app_layer_name(space->hex, space->commit, layer);
	if (is_read(space) && life_has_layer(life->loop, layer))
		return false;
	/* Another try, after a restart: what the last one said stays as it is. */
	if (!is_read(space) && runlog_is_over(log))
		return life_new_build_log(life, space);
	/* Environments are named after it. */
	if (!life_has_layer(life->loop, BASE_LINK)) {
		say_waiting(life, space, log);
		life_wake(life, BASE_PAUSE_MS);
		return false;
	}
	reading = mem_new(struct reading);
	reading->loop = life->loop;
	reading->space = *space;
	reading->log = take(log);
	life->busy = true;
	crew_do(life->loop->crew, work, done, reading);
	return false;
}
