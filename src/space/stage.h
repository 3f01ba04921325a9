#pragma once

#include <stdbool.h>

/*
 * Stages of a Space and the pure table of their transitions: stage and event in, stage out. What to
 * do is not said here: the space loop compares the wish with the runs (space/life.h). No clock, no
 * container, no row.
 *
 * Wire: A10 `stage`.
 */
enum stage {
	STAGE_NO_APP_FILE,
	STAGE_CONFIG_ERROR,
	STAGE_BUILDING,
	STAGE_BUILD_ERROR,
	STAGE_APP_STARTING,
	STAGE_RUNNING,
	STAGE_RUNNING_BUILDING,
	STAGE_RUNNING_APP_STARTING,
	STAGE_RUNTIME_ERROR,
	STAGE_SLEEPING,
	STAGE_STOPPED,
	STAGE_PAUSED,
	STAGE_DELETING,
	STAGE_COUNT
};

enum stage_event {
	STAGE_EVENT_NONE,       /* nothing that the stage shows */
	STAGE_EVENT_PUSHED,     /* a new commit */
	STAGE_EVENT_RESTARTED,  /* by a person; ends a pause */
	STAGE_EVENT_NO_APP,     /* the commit has no app file */
	STAGE_EVENT_BAD_CONFIG, /* the card asks for what can't be */
	STAGE_EVENT_BUILD_FAILED,
	STAGE_EVENT_BUILT,    /* all layers are there */
	STAGE_EVENT_UNBUILT,  /* a layer that was there is gone */
	STAGE_EVENT_READY,    /* the first HTTP answer */
	STAGE_EVENT_CRASHED,  /* the app ended; it is started again */
	STAGE_EVENT_FAILED,   /* the app ended, or never answered; it is not started again */
	STAGE_EVENT_DONE,     /* the app ended with status 0 and never listened */
	STAGE_EVENT_OLD_GONE, /* the version that served while a newer one is made has ended */
	STAGE_EVENT_REWISHED, /* a secret, hardware, …: what runs ends and starts anew */
	STAGE_EVENT_SLEPT,    /* nobody has visited it for its sleep time */
	STAGE_EVENT_WOKEN,    /* its process goes on; one that was stopped is REWISHED */
	STAGE_EVENT_PAUSED,
	STAGE_EVENT_DELETED,
	STAGE_EVENT_COUNT
};

const char *stage_name(enum stage stage);
bool stage_parse(const char *name, enum stage *out);

/*
 * The stage after an event; the same stage where the event means nothing in it. `serves` says that
 * some version answers visitors now, which the stage alone does not tell: after a push that failed
 * to build, the old version goes on.
 */
enum stage stage_next(enum stage from, enum stage_event event, bool serves);

/* An old version answers visitors while a newer one is made. */
bool stage_serves(enum stage stage);
/* Something is under way that ends by itself; clients poll on (wait_for_space). */
bool stage_is_passing(enum stage stage);
