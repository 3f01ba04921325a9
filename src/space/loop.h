#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/own.h"
#include "build/env.h"
#include "engine/engine.h"
#include "route/route.h"
#include "space/hardware.h"
#include "space/space.h"
#include "space/vault.h"
#include "store/store.h"

/*
 * The space loop: one thread that makes what API calls have wished for. It compares the rows with
 * what the engine reports and acts on the difference, so nothing is lost if the hub is killed at
 * any moment: a new one reads the same rows, asks the engine, and goes on. Only this thread changes
 * the stage of a Space, but for the stage in transition that a wish is written with.
 *
 * The steps are in space/life.h.
 */
struct space_loop;

/* How Spaces sleep: what the operator has set. */
struct space_sleep {
	bool ignores_sockets; /* an open WebSocket keeps nobody awake */
	int64_t page_ms;      /* so long asleep, they are paged out; 0: never */
	int64_t stop_ms;      /* so long asleep, they are stopped; 0: never */
	/* With less memory and swap space left, those who have slept longest are stopped; 0: none
	 */
	unsigned reserve_percent;
};

struct space_loop_config {
	struct store *store;
	struct route *route; /* the loop is its only user */
	const struct vault *vault;
	const char *dir;     /* the data directory */
	const char *domain;  /* of Spaces, "localhost" */
	uint16_t port;       /* of their host names; 80 is not written */
	const char *hub_url; /* as seen by an app, "http://hub.espace:8080" */
	struct env_base base;
	const struct hardware *hardware; /* what apps may use */
	bool grants;                     /* only who was granted it, and so long */
	struct engine_limits build_limits;
	uint64_t storage_bytes[SPACE_TIERS]; /* of each tier, the smallest first */
	/* "OWNER/NAME" or "OWNER", whose apps reach nothing outside; NULL-terminated, or NULL */
	const char *const *closed;
	/* Called once in the loop's thread; the engine is freed by its ops at the end. */
	int (*make_engine)(void *arg, struct loop *loop, struct engine **out, struct err *err);
	void *make_engine_arg;
	/* A Space may have another stage than before; its row says so. May be NULL. */
	void (*changed)(void *arg, int64_t repo_id);
	void *changed_arg;
	struct space_sleep sleep;
	unsigned rush_max;  /* so many apps start at once; 0: any number */
	int64_t rush_ms;    /* one that starts for longer counts no more; 0: ten seconds */
	int64_t backoff_ms; /* wait before the first restart after a crash; 0: a second */
	int64_t relieve_ms; /* between two looks at the memory that is left; 0: five seconds */
	int64_t settle_ms;  /* wait for more changes before a restart; 0: WISH_SETTLE_MS */
	int64_t retry_ms;   /* wait before something is tried again; 0: a second */
};

/* Texts of the config stay the caller's and must outlive the loop; so must store, route, vault and
 * hardware. */
must_check int space_loop_start(const struct space_loop_config *config, struct space_loop **out,
				struct err *err);

/* End the thread; what runs goes on running. Questions are answered. Takes NULL. */
void space_loop_stop(struct space_loop *loop);
DEFINE_OWNED(struct space_loop *, space_loop_stop);

/* A wish was committed. Threads: any. */
void space_loop_wake(struct space_loop *loop, int64_t repo_id);

enum space_who {
	SPACE_WHO_ADDRESS, /* it is up, there */
	SPACE_WHO_BUILDING,
	SPACE_WHO_STARTING,
	SPACE_WHO_WAKING,  /* it sleeps, or starts after that: the question wakes it */
	SPACE_WHO_PAUSED,  /* a person must restart it */
	SPACE_WHO_STOPPED, /* the same, for it has done its work */
	SPACE_WHO_ERROR,   /* it failed, or has no app yet */
	SPACE_WHO_UNKNOWN, /* no such Space, or none for this visitor */
};

struct space_ask {
	const char *slug; /* copied */
	bool admitted;    /* may visit it also where it is private */
	bool waits;       /* while the Space is on its way */
};

/*
 * Who serves this host name? A Space that sleeps is woken. `answer` is called exactly once, in the
 * loop's thread: at once, or for one that waits, if the Space is on its way, when it is up or has
 * failed. To those, BUILDING, WAKING and STARTING are said only when the loop stops meanwhile. For
 * a process that sleeps all wait: that is no longer than a look. Threads: any.
 */
void space_loop_who(struct space_loop *loop, const struct space_ask *asked,
		    void (*answer)(void *arg, enum space_who who, uint32_t address, uint16_t port),
		    void *arg);

/* `metrics` NULL: nothing of this Space runs that could be measured. */
typedef void space_measured_fn(void *arg, int64_t repo_id, const struct engine_metrics *metrics);

/*
 * What does a Space's run use? `answer` is called exactly once, in the loop's thread, soon.
 * Threads: any.
 */
void space_loop_measure(struct space_loop *loop, int64_t repo_id, space_measured_fn *answer,
			void *arg);
