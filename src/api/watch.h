#pragma once

#include <stdint.h>

#include "auth/auth.h"
#include "base/err.h"
#include "base/own.h"
#include "http/feed.h"
#include "space/hardware.h"
#include "space/loop.h"
#include "store/store.h"

/*
 * Watch: who looks on while Spaces change, or while they run. A viewer has a feed (http/feed.h)
 * that the stream server sends; here is what goes into it:
 *
 *     WATCH_EVENTS    the runtime object (Wire: A10), at once and whenever it is another one
 *     WATCH_METRICS   what the Space's run uses (api/metrics.h), each second while there is one
 *
 * Each viewer is asked about again every WATCH_RIGHTS_MS: when its right has ended or the Space is
 * gone, the stream ends. Nothing is replayed to one that comes again, since the first event is the
 * whole state. A state that lasts for less than a look takes may be left out; the newest never is.
 *
 * Threads: one of its own reads rows; the functions below from any.
 * Wire:    A12.
 */
struct watch;

enum watch_kind { WATCH_EVENTS, WATCH_METRICS };

enum {
	WATCH_TICKET_ROOM = 33,
	WATCH_TICKET_MS = 10 * 1000, /* nginx fetches it at once */
	WATCH_MEASURE_MS = 1000,
	WATCH_RIGHTS_MS = 5000,
	WATCH_RETRY_MS = 2000, /* what a browser is told to wait before it comes again */
};

struct watch_config {
	struct store *store;
	const struct hardware *hardware;
	/* space_loop_measure(); NULL: nothing is ever measured. */
	void (*measure)(void *arg, int64_t repo_id, space_measured_fn *answer, void *answer_arg);
	void *arg;
	int64_t measure_ms; /* 0: WATCH_MEASURE_MS */
	int64_t rights_ms;  /* 0: WATCH_RIGHTS_MS */
};

must_check int watch_start(const struct watch_config *config, struct watch **out, struct err *err);
/* From now on nothing is added to feeds: the stream server may end. */
void watch_stop(struct watch *watch);
/* Nobody knows it any more. Takes NULL. */
void watch_free(struct watch *watch);
DEFINE_OWNED(struct watch *, watch_free);

/* Something about a Space may be another. */
void watch_changed(struct watch *watch, int64_t repo_id);

/* Who looks, after the API has said yes. */
struct watch_viewer {
	enum watch_kind kind;
	int64_t repo_id;
	enum auth_right right; /* that it must still have */
	int64_t user_id;       /* 0: nobody signed in */
	int64_t token_id;
	const char *caller; /* who it is counted for */
	const char *domain; /* what stands behind a Space's slug for this client, with its dot */
};

/*
 * Let somebody look on. The ticket is for watch_claim(), once and soon.
 * Errors: ERR_SPENT where the caller has too many of them, ERR_BUSY where all together have.
 */
must_check int watch_open(struct watch *watch, const struct watch_viewer *viewer,
			  char ticket[static WATCH_TICKET_ROOM], struct err *err);

/* The feed of a ticket, or NULL; for follow_config. `arg` is the watch. */
struct feed *watch_claim(void *arg, const char *ticket);
