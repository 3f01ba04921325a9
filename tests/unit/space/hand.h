#pragma once

#include <pthread.h>
#include <semaphore.h>

#include "base/loop.h"
#include "engine/engine.h"
#include "route/route.h"
#include "space/loop.h"
#include "world.h"

/*
 * A space loop over the fake engine, and what its tests do with it: push, end builds, let apps
 * answer, wait for a stage. Waiting is for an outcome, never for a time.
 */
enum { HAND_RUNS_MAX = 32 };

struct hand {
	struct world *world;
	struct route *route;
	struct space_loop_config config;
	struct space_loop *loop;
	struct loop *base; /* the loop's own, as the engine got it */
	struct engine *engine;
	const struct runrow *revived; /* what the engine of the next hand_start() runs already */
	uint16_t revived_port;
	bool revived_frozen;
	struct engine_spec seen[HAND_RUNS_MAX]; /* copies, for the engine's move about */
};

struct hand *hand_new(void);
void hand_free(struct hand *hand);
void hand_start(struct hand *hand);
void hand_stop(struct hand *hand);

/* Commit a README with this front matter and an app; then tell the loop. */
void hand_push(struct hand *hand, const struct repo *repo, const char *card, const char *app,
	       const char *requirements);
/* Restart, or delete, as the API does. */
void hand_restart(struct hand *hand, const struct repo *repo, bool factory);
void hand_delete(struct hand *hand, const struct repo *repo);

/* Change who may visit the app, as the API does. */
void hand_set_access(struct hand *hand, struct repo *repo, bool is_private, bool is_protected);

/* Wait until the Space shows a stage; the test fails after long enough. */
struct space hand_wait(struct hand *hand, const struct repo *repo, enum stage stage);
/* Wait until the row is gone. */
void hand_wait_gone(struct hand *hand, const struct repo *repo);

/* The `index`th run that was submitted: wait for it. */
const struct engine_spec *hand_submission(struct hand *hand, size_t index);
size_t hand_submissions(struct hand *hand);
size_t hand_stops(struct hand *hand, const char *key);
/* Wait until a run was told to stop. */
void hand_wait_stop(struct hand *hand, const char *key);
/* A build ends; with status 0 its layer is there. Otherwise `said` was its log. */
void hand_end_build(struct hand *hand, const struct engine_spec *spec, int status,
		    const char *said);
void hand_end_app(struct hand *hand, const struct engine_spec *spec, int status, bool oom,
		  const char *said);

/* Wait until so many wait for their turn to start. */
void hand_wait_standing(struct hand *hand, size_t count);

/* How often the engine was asked to drop the disk of a Space. */
size_t hand_drops(struct hand *hand, const struct repo *repo);
/* The next answer to that is an error. */
void hand_fail_drop(struct hand *hand);
/* What the engine will measure of a run. */
void hand_use(struct hand *hand, const struct engine_metrics *metrics);
/* Measure a Space, and wait for the answer: whether it runs. */
bool hand_measure(struct hand *hand, const struct repo *repo, struct engine_metrics *out);

/* Ask who serves a name, and wait for the answer. */
enum space_who hand_ask(struct hand *hand, const char *slug, uint16_t *port);
/* The same for one who may visit it also where it is private. */
enum space_who hand_ask_admitted(struct hand *hand, const char *slug);

/* Wait until that is the answer. */
void hand_wait_who(struct hand *hand, const char *slug, enum space_who who);
/* Sleep: nobody has visited it for two days, as far as it knows. */
void hand_forsake(struct hand *hand, const struct repo *repo);
/* The same, and wait until it sleeps. */
struct space hand_asleep(struct hand *hand, const struct repo *repo);
/* A visit that begins, or ends, as a worker of nginx counts it. */
void hand_visit(struct hand *hand, const char *slug, bool begins);
/* An open visit becomes a WebSocket; something is said over it. */
void hand_upgrade(struct hand *hand, const char *slug);
void hand_say(struct hand *hand, const char *slug);
/* The engine does not suspend today. */
void hand_lack_sleep(struct hand *hand);
/* So much memory and swap space is left, in percent: does somebody give way? */
void hand_relieve(struct hand *hand, unsigned memory, unsigned swap);
/* Let the loop do what it has been woken for. */
void hand_settle(struct hand *hand);

/* What the table of routes says to nginx. */
enum route_state hand_route(struct hand *hand, const char *slug);
enum route_access hand_access(struct hand *hand, const char *slug);

/* An app: it answers HTTP on a port of 127.0.0.1. */
struct app {
	int fd;
	uint16_t port;
	bool open;
	pthread_t thread;
};

/* Take a port, without listening yet. */
void app_init(struct app *app);
void app_open(struct app *app);
void app_done(struct app *app);

/* Push an app that listens where `app` does, with the requirements that all of them have. */
void hand_push_app(struct hand *hand, const struct repo *repo, const struct app *app,
		   const char *text);
/* A Space "me/NAME" that has run through its first build and answers on `app`. */
struct repo hand_running(struct hand *hand, const char *name, struct app *app);
