#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/loop.h"
#include "base/own.h"
#include "build/env.h"
#include "repo/git.h"
#include "space/card.h"
#include "space/crew.h"
#include "space/idle.h"
#include "space/loop.h"
#include "space/place.h"
#include "space/probe.h"
#include "space/runrow.h"
#include "space/space.h"

/*
 * Life of a Space, inside of the space loop: one step compares its rows with the engine's reports
 * and does the next thing; what that leads to causes the next step. There is one file for each
 * event:
 *
 *     life_push.c    a commit came: read its card, name the environment, write the app layer
 *     life_build.c   the environment is missing: make it, or wait for who makes it
 *     life_start.c   all layers are there: start the app
 *     life_rush.c    many want to start: a few at a time
 *     life_ready.c   its process runs: probe it, then route visitors to it
 *     life_sleep.c   nobody visits it: it sleeps until somebody does
 *     life_relieve.c the machine is short of memory: who sleeps gives way
 *     life_exit.c    a run has ended
 *     life_stop.c    a run must not go on
 *     life_data.c    its storage was given up
 *     life_delete.c  the Space goes
 *     life_queue.c   the hardware is counted: wait for a place
 *     life_spend.c   the granted hours of its hardware are used up
 *     life_measure.c somebody asks what a run uses
 *
 * Threads: the space loop's own.
 */

enum {
	LIFE_RUNS_MAX = ROUTE_SIDES, /* open ones of a Space: the new one, and old ones that end */
	LIFE_GRACE_MS = 10 * 1000,   /* between SIGTERM and SIGKILL */
	LIFE_SESSION_MS = 1500,      /* in that time a client asks for the result of its call */
	LIFE_HANDOVER_MAX_MS = 3000, /* no longer are new visits held for it: clients wait 5 s */
	LIFE_HANDOVER_LOOK_MS = 20,
	LIFE_DRAIN_MS =
		500, /* at least, from the new version's first answer to the old one's end */
	LIFE_DRAIN_MAX_MS = 60 * 1000, /* at most: some visits, such as WebSockets, never end */
	LIFE_DRAIN_LOOK_MS = 100,
	/* How long visits are held for those that are at a version which must end before the next
	   one starts: some never leave. */
	LIFE_YIELD_MAX_MS = 5 * 1000,
	LIFE_LOGS_KEPT = 20,    /* of each kind */
	LIFE_ERROR_TAIL = 1000, /* bytes of a log that an error message quotes */
	LIFE_CRASHES_MAX = 5,   /* in LIFE_CRASH_WINDOW_MS: then it is not started again */
	LIFE_CRASH_WINDOW_MS = 10 * 60 * 1000,
	LIFE_REST_DOUBLINGS = 5,      /* of retry_ms, while something fails again and again: half a
					 minute at most */
	LIFE_CALM_MS = 2 * 60 * 1000, /* without a failure: the next one counts as the first */
};

/* What the engine says about one run. */
struct life_fact {
	struct life_fact *next;
	struct engine_run run;
	bool stopping;    /* stop() was called by this hub */
	unsigned reports; /* so many of it */
};

/* A question that waits for a Space. */
struct life_ask {
	struct life_ask *next;
	char slug[ROUTE_SLUG_ROOM];
	bool admitted;
	bool waits;
	void (*answer)(void *arg, enum space_who who, uint32_t address, uint16_t port);
	void *arg;
};

/* Somebody who wants to know what a Space's run uses. */
struct life_measure {
	struct life_measure *next;
	int64_t repo_id;
	char key[ENGINE_KEY_ROOM]; /* of the run that the engine was asked about */
	space_measured_fn *answer;
	void *arg;
};

/* A Space whose wish has changed. */
struct life_news {
	struct life_news *next;
	int64_t repo_id;
};

/* One Space, in memory. Everything in it can be made anew from rows and reports. */
struct life {
	struct life *next;
	struct space_loop *loop;
	int64_t repo_id;
	struct loop_timer *timer; /* the next step */
	int64_t due_ms;           /* when, by the monotonic clock; 0: not set */
	bool busy;                /* the crew works for it */
	unsigned failures;        /* in a row, of the machine and not of the app */
	int64_t failed_ms;        /* the last of them */
	int64_t rests_until_ms;   /* nothing new is begun before */
	bool read;                /* a step has filled what follows */
	bool forgotten;           /* its host name was taken from the routes */
	bool gone;                /* on its way out: its name is free */
	char hex[25];
	char slug[ROUTE_SLUG_ROOM];
	enum space_who who;
	uint32_t address; /* where visitors are routed, 0: nowhere */
	uint16_t port;
	bool is_private;     /* as the table says */
	bool routed;         /* the table of routes says the same */
	int64_t handover_ms; /* since when visitors are handed to another address; 0: they are not
			      */
	int64_t yields_to;   /* generation that older runs end for before its own starts; 0: none */
	int64_t yielded_ms;  /* since when nobody is sent to them */
	int64_t drops;      /* the engine removes the disk of that many data_drops; 0: it doesn't */
	bool asleep;        /* visitors ask, and wake it: the table says DRAIN */
	bool has_sleeper;   /* … a run that goes on at once */
	int64_t visited_ms; /* since when somebody waits for it to wake; 0: nobody does */
	int64_t falls_ms;   /* when the engine was asked to suspend it; 0: it was not */
	unsigned fell_at;   /* … after so many reports of it */
	int64_t slept_ms;   /* since when the run sleeps that is the wish's own; 0: it doesn't */
	bool gives_way;     /* it is stopped, for its memory is needed, and has not ended */
	int64_t thaws_ms;   /* when the engine was last asked to resume it */
	int64_t pages_ms;   /* when the engine was last asked to page it out; 0: never */
	bool listens;       /* heard_ms is set */
	int64_t heard_ms;   /* what is said over a WebSocket after that wakes it */
	struct idle idle;
	bool stands;        /* all is there for its start; it waits for its turn */
	int64_t stands_ms;  /* since when it has wanted to start; 0: it doesn't */
	int64_t begun_ms;   /* when a start was begun that is under way; 0: none is */
	int64_t queued_for; /* generation that others in the queue for hardware know of */
	char prepares[48];  /* environment whose build the crew prepares for it */
	char waits_for[48]; /* environment that another Space builds; its log says so once */
	struct probe *probe;
	char probed[ENGINE_KEY_ROOM];
	int64_t probed_ms; /* since when; wall time may jump in between */
};

struct space_loop {
	pthread_t thread;
	struct space_loop_config config;
	struct loop *loop;
	struct engine *engine;
	struct crew *crew;
	struct loop_timer *observe; /* ask the engine again */
	struct loop_timer *see;     /* tell the ledger that what runs goes on */
	struct loop_timer *relieve; /* look whether there is memory left; NULL: never */
	struct loop_timer *spend;   /* look whose granted hours are used up; NULL: nobody's count */
	struct life *lives;
	struct life_fact *facts;
	struct life_ask *asks;
	struct life_measure *measures;
	struct lock lock; /* guards the three that follow: what other threads leave here */
	struct life_news *new_wishes;
	struct life_ask *new_asks;
	struct life_measure *new_measures;
	bool observed; /* `facts` is all that there is */
	bool ending;
};

/* A Space as one step sees it. */
struct life_view {
	struct space space;
	struct runrow runs[LIFE_RUNS_MAX]; /* open ones of its app, oldest first */
	size_t run_count;
	bool waits; /* for a place on counted hardware */
};

/* --- life.c --- */

struct life *life_of(struct space_loop *loop, int64_t repo_id); /* makes it where missing */
void life_free_all(struct space_loop *loop);

/* Take a step by then at the latest; 0 is at once, but never from inside of the call. */
void life_wake(struct life *life, int64_t after_ms);
/*
 * Something failed that may pass, such as a full disk: begin nothing new for a while, longer each
 * time, and take a step then. A wish of somebody ends it.
 */
void life_rest(struct life *life);
/* The same of a build; its log says so the first time. */
void life_put_off(struct life *life, const struct space *space, const struct err *err);
/* Drop the Space from memory: its row is gone. */
void life_forget(struct life *life);

/* The open run of the wish's own generation, or NULL. */
const struct runrow *life_target(const struct life_view *view);
/* Some version answers visitors now. */
bool life_serves(const struct life *life);

/* Older runs must end before the one of the wish starts: both would have the same card or /data. */
bool life_yields(const struct life *life, const struct space *space);

struct life_fact *life_fact(struct space_loop *loop, const char *key);
/* Remember a report, or what was just asked for. */
struct life_fact *life_fact_put(struct space_loop *loop, const struct engine_run *run);
/* Tell the engine to forget an ended run, and forget it here. */
void life_fact_drop(struct space_loop *loop, const char *key);

/* A transaction in which the stage moves by `event`; the fact's other changes are up to `change`.
 */
must_check int life_move(struct life *life, const struct space *space, enum stage_event event,
			 const char *error,
			 int (*change)(void *arg, struct store_db *db, struct err *err), void *arg,
			 struct err *err);

/* Paths below the data directory, for free(). */
char *life_log_path(const struct space_loop *loop, const char *hex, const char *kind,
		    int64_t number);
/* Make the folder of a Space's logs, and forget those that are too old. */
void life_logs(const struct space_loop *loop, const char *hex, const char *kind, int64_t newest);
bool life_has_layer(const struct space_loop *loop, const char *name);

/* The run that answers visitors, or would if it did not sleep: the newest that has answered the
 * probe. */
const struct runrow *life_serving(struct life *life, const struct life_view *view,
				  const struct life_fact **fact);
/* A run that sleeps and is to end: a visit starts another one. */
bool life_is_over(const struct space *space, const struct runrow *row);
/* How long somebody has waited for it to wake, 1 at least; 0: nobody has. */
int64_t life_waited_ms(const struct life *life);
/* Route visitors to the version that serves, or to the hub; answer who waits. */
void life_route(struct life *life, const struct life_view *view);
/* Answer the questions about one name, or about all where it is NULL, as far as can be said. */
void life_answer(struct space_loop *loop, const char *slug);

/* --- one for each event; each returns true if it did something and another step must look --- */

/* Read the commit, unless the plan is of this commit. */
bool life_push(struct life *life, const struct life_view *view);
/* The next build log gets a new number. True if that was done. */
bool life_new_build_log(struct life *life, const struct space *space);
/* The card of a commit, and the environment that it leads to; for the crew. */
must_check int life_card(struct git *git, const char *commit, struct card *out, struct err *err);
must_check int life_env(const struct space_loop *loop, const struct space *space, struct git *git,
			const struct card *card, struct env *out, struct err *err);
/* Make the environment that the plan names. */
bool life_build(struct life *life, const struct life_view *view);
/* A build has ended, whoever wanted it. */
void life_built(struct space_loop *loop, const struct life_fact *fact);
bool life_start(struct life *life, const struct life_view *view);
/* Ask the engine for a run whose row is there. Errors: as engine submit(). */
must_check int life_submit(struct life *life, const struct life_view *view,
			   const struct runrow *row, struct err *err);
/* May it start now, as the last question before it does? If not, it is woken when its turn comes.
 */
bool life_rush_admits(struct life *life);
/* It starts; or an old version ends for it. */
void life_rush_begin(struct life *life);
/* Has its start ended, or is none wanted any more? */
void life_rush_look(struct life *life, const struct life_view *view);
/* It may be the turn of some. */
void life_rush_moved(struct space_loop *loop);
bool life_ready(struct life *life, const struct life_view *view, const struct runrow *row);
bool life_sleep(struct life *life, const struct life_view *view);
bool life_exit(struct life *life, const struct life_view *view);
bool life_stop(struct life *life, const struct life_view *view);
/* Of the disk that the wish asks for; 0 for none. */
uint64_t life_data_bytes(const struct space_loop *loop, const struct space *space);
/* True while a disk is to go: nothing else is begun before. */
bool life_data(struct life *life, const struct life_view *view);
/* The engine's answer; `arg` is the space loop. */
void life_dropped(void *arg, const char *hex, const struct err *err);
bool life_delete(struct life *life, const struct life_view *view);

/* May a run of the wish begin, as far as counted hardware is concerned? */
enum life_turn {
	LIFE_TURN_FAILED,
	LIFE_TURN_CHANGED,   /* it is in the queue now: another step must look */
	LIFE_TURN_NOT_YET,   /* it is woken when its turn may have come */
	LIFE_TURN_AFTER_OLD, /* once the older runs of the Space have ended */
	LIFE_TURN_NOW,       /* on these places */
};
enum life_turn life_turn(struct life *life, const struct life_view *view, struct places *out,
			 struct err *err);
/* Leave the queue where there is nothing to wait for any more. True if that was done. */
bool life_queue_left(struct life *life, const struct life_view *view);
/* A place is free, or who waits has changed: all who wait must look. */
void life_queue_moved(struct space_loop *loop);
/* For the timer: give back hardware whose granted hours are used up (space/grant.h). */
void life_spend(void *arg);
/* For the timer: stop one that sleeps where the machine has hardly any memory left. */
void life_relieve(void *arg);
/* Ask the engine; takes the question, and answers it at once where nothing runs. */
void life_measure(struct space_loop *loop, struct life_measure *measure);
/* The engine's answer about a run; NULL for the key: about all that were asked for. */
void life_measured(struct space_loop *loop, const char *key, const struct engine_metrics *metrics);
