#include "api/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/limits.h"
#include "api/metrics.h"
#include "api/runtime.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "repo/repo.h"
#include "space/space.h"

struct viewer {
	struct viewer *next;
	struct feed *feed;
	enum watch_kind kind;
	int64_t repo_id;
	enum auth_right right;
	int64_t user_id;
	int64_t token_id;
	char *caller;
	char *domain;
	int64_t opened_ms;
	char ticket[WATCH_TICKET_ROOM]; /* "" once it is claimed; guarded */
	bool is_dirty;                  /* look at its Space; guarded */
	/* The thread's own. */
	bool is_over;
	bool is_asked; /* a measurement is on its way */
	char *last;    /* the event that it got last */
	struct engine_metrics before;
};

/* The answer to a measurement, on its way from the space loop's thread to ours. */
struct sample {
	struct sample *next;
	int64_t repo_id;
	bool is_there;
	struct engine_metrics metrics;
};

struct watch {
	struct watch_config config;
	struct loop *loop;
	struct loop_timer *timer; /* armed while somebody looks on */
	bool is_ticking;
	int64_t checked_ms; /* when all rights were asked for */
	pthread_t thread;
	bool has_thread;

	/*
	 * Guards what follows, and the guarded fields of viewers. Others only put viewers in front,
	 * and this thread alone takes any out, so that it walks along them without the lock.
	 */
	struct lock lock;
	struct viewer *viewers;
	struct sample *samples;
};

static void viewer_free(struct viewer *viewer)
{
	feed_unref(viewer->feed);
	free(viewer->caller);
	free(viewer->domain);
	free(viewer->last);
	free(viewer);
}

static struct viewer *first_viewer(struct watch *watch)
{
	owned(unlock) struct lock *held = lock(&watch->lock);

	return watch->viewers;
}

/* --- is it still allowed? --- */

static bool is_refusal(const struct err *err)
{
	return err->kind == ERR_BAD_TOKEN || err->kind == ERR_ANONYMOUS ||
	       err->kind == ERR_DENIED || err->kind == ERR_NO_REPO;
}

static int check_right(struct store_db *db, const struct viewer *viewer, const struct repo *repo,
		       struct err *err)
{
	struct actor actor = {0};

	if (viewer->user_id != 0 &&
	    auth_actor_by_id(db, viewer->user_id, viewer->token_id, &actor, err) < 0)
		return -1;
	return call_check_right(db, &actor, viewer->right, repo, err);
}

/* 1 here is the Space, 0 there is none for this viewer any more, -1 failed. */
static int read_space(const struct watch *watch, const struct viewer *viewer, struct space *out,
		      struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct store_db *db;
	struct repo repo;
	int found;

	if (store_read_begin(watch->config.store, &read, err) < 0)
		return -1;
	db = store_read_db(read);
	found = repo_by_id(db, viewer->repo_id, &repo, err);
	if (found > 0)
		found = space_get(db, viewer->repo_id, out, err);
	if (found <= 0)
		return found;
	if (check_right(db, viewer, &repo, err) < 0)
		return is_refusal(err) ? 0 : -1;
	return !out->deleting;
}

/* --- events --- */

static void give(struct viewer *viewer, const char *name, const json_t *json)
{
	owned(free) char *data = json_text(json);
	owned(free) char *event = mem_format("%sdata: %s\n\n", name, data);

	feed_add(viewer->feed, event);
}

static int tell_runtime(const struct watch *watch, struct viewer *viewer, const struct space *space,
			struct err *err)
{
	owned(free) char *host = mem_format("%s%s", space->slug, viewer->domain);
	owned(json_decref) json_t *runtime = NULL;
	char *text;

	if (runtime_of(watch->config.store, watch->config.hardware, space, host, &runtime, err) < 0)
		return -1;
	text = json_text(runtime);
	if (!viewer->last || strcmp(viewer->last, text) != 0)
		give(viewer, "", runtime);
	free(viewer->last);
	viewer->last = text;
	return 0;
}

/* What fails is tried again when all rights are asked for. */
static void look(const struct watch *watch, struct viewer *viewer)
{
	struct err err = ERR_INIT;
	struct space space;
	int found = read_space(watch, viewer, &space, &err);

	if (found == 0) {
		feed_end(viewer->feed);
		viewer->is_over = true;
	} else if (found < 0 || (viewer->kind == WATCH_EVENTS &&
				 tell_runtime(watch, viewer, &space, &err) < 0)) {
		log_warn("watch.look", "repo=%lld error=%s", (long long)viewer->repo_id, err.text);
	}
}

static bool take_dirty(struct watch *watch, struct viewer *viewer)
{
	owned(unlock) struct lock *held = lock(&watch->lock);
	bool is_dirty = viewer->is_dirty;

	viewer->is_dirty = false;
	return is_dirty;
}

static void on_news(void *arg)
{
	struct watch *watch = arg;

	for (struct viewer *viewer = first_viewer(watch); viewer; viewer = viewer->next)
		if (take_dirty(watch, viewer) && !viewer->is_over)
			look(watch, viewer);
}

/* --- metrics --- */

static void on_sample(struct watch *watch, const struct sample *sample)
{
	for (struct viewer *viewer = first_viewer(watch); viewer; viewer = viewer->next) {
		owned(json_decref) json_t *json = NULL;

		if (viewer->kind != WATCH_METRICS || viewer->repo_id != sample->repo_id)
			continue;
		viewer->is_asked = false;
		if (sample->is_there)
			json = metrics_json(&viewer->before, &sample->metrics);
		if (json)
			give(viewer, "event: metric\n", json);
		viewer->before = sample->metrics;
	}
}

static void on_samples(void *arg)
{
	struct watch *watch = arg;
	struct sample *samples;

	{
		owned(unlock) struct lock *held = lock(&watch->lock);

		samples = take(watch->samples);
	}
	while (samples) {
		struct sample *next = samples->next;

		on_sample(watch, samples);
		free(samples);
		samples = next;
	}
}

/* In the space loop's thread. */
static void measured(void *arg, int64_t repo_id, const struct engine_metrics *metrics)
{
	struct watch *watch = arg;
	struct sample *sample = mem_new(struct sample);

	sample->repo_id = repo_id;
	sample->is_there = metrics != NULL;
	if (metrics)
		sample->metrics = *metrics;
	{
		owned(unlock) struct lock *held = lock(&watch->lock);

		sample->next = watch->samples;
		watch->samples = sample;
	}
	loop_post(watch->loop, on_samples, watch);
}

/* One measurement for all who look at the same Space. */
static void measure(struct watch *watch, struct viewer *viewer)
{
	int64_t repo_id = viewer->repo_id;

	if (viewer->kind != WATCH_METRICS || viewer->is_asked || !watch->config.measure)
		return;
	for (; viewer; viewer = viewer->next)
		if (viewer->kind == WATCH_METRICS && viewer->repo_id == repo_id)
			viewer->is_asked = true;
	watch->config.measure(watch->config.arg, repo_id, measured, watch);
}

/* --- each second --- */

static bool is_done(const struct viewer *viewer, int64_t now_ms)
{
	return viewer->is_over || feed_is_left(viewer->feed) ||
	       (viewer->ticket[0] && now_ms - viewer->opened_ms > WATCH_TICKET_MS);
}

/* Those who are done, out of the list. */
static struct viewer *take_done(struct watch *watch)
{
	owned(unlock) struct lock *held = lock(&watch->lock);
	struct viewer **at = &watch->viewers;
	int64_t now_ms = clock_mono_ms();
	struct viewer *done = NULL;

	while (*at) {
		struct viewer *viewer = *at;

		if (!is_done(viewer, now_ms)) {
			at = &viewer->next;
			continue;
		}
		*at = viewer->next;
		viewer->next = done;
		done = viewer;
	}
	return done;
}

static void drop_done(struct watch *watch)
{
	struct viewer *done = take_done(watch);

	while (done) {
		struct viewer *next = done->next;

		viewer_free(done);
		done = next;
	}
}

static void tick(void *arg)
{
	struct watch *watch = arg;
	int64_t now_ms = clock_mono_ms();
	bool checks = now_ms - watch->checked_ms >= watch->config.rights_ms;

	drop_done(watch);
	if (checks)
		watch->checked_ms = now_ms;
	for (struct viewer *viewer = first_viewer(watch); viewer; viewer = viewer->next) {
		if (checks)
			look(watch, viewer);
		measure(watch, viewer);
	}
	watch->is_ticking = first_viewer(watch) != NULL;
	if (watch->is_ticking)
		loop_timer_set(watch->timer, watch->config.measure_ms);
}

static void on_viewer(void *arg)
{
	struct watch *watch = arg;

	on_news(watch);
	if (!watch->is_ticking)
		tick(watch);
}

static void *run(void *arg)
{
	struct watch *watch = arg;
	struct err err = ERR_INIT;

	if (loop_run(watch->loop, &err) < 0)
		log_error("watch.loop", "error=%s", err.text);
	return NULL;
}

/* --- from other threads --- */

void watch_changed(struct watch *watch, int64_t repo_id)
{
	bool is_watched = false;

	{
		owned(unlock) struct lock *held = lock(&watch->lock);

		for (struct viewer *viewer = watch->viewers; viewer; viewer = viewer->next) {
			if (viewer->kind != WATCH_EVENTS || viewer->repo_id != repo_id)
				continue;
			viewer->is_dirty = true;
			is_watched = true;
		}
	}
	if (is_watched)
		loop_post(watch->loop, on_news, watch);
}

/* With the lock held. */
static int check_room(const struct watch *watch, const char *caller, struct err *err)
{
	size_t all = 0;
	size_t own = 0;

	for (const struct viewer *viewer = watch->viewers; viewer; viewer = viewer->next) {
		all++;
		own += strcmp(viewer->caller, caller) == 0;
	}
	if (own >= LIMITS_WATCHES_EACH)
		return err_set(err, ERR_SPENT,
			       "%d streams of events and metrics are open: close one of them first",
			       LIMITS_WATCHES_EACH);
	if (all >= LIMITS_WATCHES)
		return err_set(err, ERR_BUSY, "%d streams of events and metrics are open",
			       LIMITS_WATCHES);
	return 0;
}

static struct viewer *viewer_new(const struct watch_viewer *from)
{
	struct viewer *viewer = mem_new(struct viewer);
	uint8_t ticket[(WATCH_TICKET_ROOM - 1) / 2];

	viewer->kind = from->kind;
	viewer->repo_id = from->repo_id;
	viewer->right = from->right;
	viewer->user_id = from->user_id;
	viewer->token_id = from->token_id;
	viewer->caller = mem_text(from->caller);
	viewer->domain = mem_text(from->domain);
	viewer->opened_ms = clock_mono_ms();
	viewer->is_dirty = true;
	viewer->feed = feed_new();
	random_bytes(ticket, sizeof(ticket));
	hex_write(ticket, sizeof(ticket), viewer->ticket);
	return viewer;
}

int watch_open(struct watch *watch, const struct watch_viewer *from,
	       char ticket[static WATCH_TICKET_ROOM], struct err *err)
{
	owned(free) char *retry = mem_format("retry: %d\n\n", WATCH_RETRY_MS);
	struct viewer *viewer = viewer_new(from);
	int result;

	memcpy(ticket, viewer->ticket, WATCH_TICKET_ROOM);
	feed_add(viewer->feed, retry);
	{
		owned(unlock) struct lock *held = lock(&watch->lock);

		result = check_room(watch, from->caller, err);
		if (result == 0) {
			viewer->next = watch->viewers;
			watch->viewers = viewer;
		}
	}
	if (result < 0)
		viewer_free(viewer);
	else
		loop_post(watch->loop, on_viewer, watch);
	return result;
}

struct feed *watch_claim(void *arg, const char *ticket)
{
	struct watch *watch = arg;
	owned(unlock) struct lock *held = lock(&watch->lock);

	for (struct viewer *viewer = watch->viewers; viewer; viewer = viewer->next) {
		if (!viewer->ticket[0] || strcmp(viewer->ticket, ticket) != 0)
			continue;
		viewer->ticket[0] = '\0';
		return feed_ref(viewer->feed);
	}
	return NULL;
}

/* --- its life --- */

int watch_start(const struct watch_config *config, struct watch **out, struct err *err)
{
	owned(watch_free) struct watch *watch = mem_new(struct watch);

	watch->config = *config;
	watch->lock = (struct lock)LOCK_INIT;
	if (watch->config.measure_ms == 0)
		watch->config.measure_ms = WATCH_MEASURE_MS;
	if (watch->config.rights_ms == 0)
		watch->config.rights_ms = WATCH_RIGHTS_MS;
	if (loop_new(&watch->loop, err) < 0)
		return -1;
	watch->timer = loop_timer_new(watch->loop, tick, watch);
	errno = pthread_create(&watch->thread, NULL, run, watch);
	if (errno)
		return err_sys(err, "start the thread of watchers");
	watch->has_thread = true;
	*out = take(watch);
	return 0;
}

void watch_stop(struct watch *watch)
{
	if (!watch || !watch->has_thread)
		return;
	loop_quit(watch->loop);
	pthread_join(watch->thread, NULL);
	watch->has_thread = false;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	watch_stop(watch);
	while (watch->viewers) {
		struct viewer *next = watch->viewers->next;

		viewer_free(watch->viewers);
		watch->viewers = next;
	}
	while (watch->samples) {
		struct sample *next = watch->samples->next;

		free(watch->samples);
		watch->samples = next;
	}
	loop_free(watch->loop);
	free(watch);
}
