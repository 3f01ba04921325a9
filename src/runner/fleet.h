#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/own.h"
#include "engine/engine.h"
#include "engine/request.h"
#include "runner/pool.h"
#include "runner/runner.h"

/*
 * The fleet: all runs of this instance and where each is between submit and forget. It watches
 * their monitors, hands slow steps to workers (start.h) and adopts what an earlier runner has left.
 *
 * Threads: the loop's own.
 */
struct fleet;

struct fleet_setup {
	const struct runner_config *config;
	struct loop *loop;
	struct pool *pool;      /* starts and ends of apps: as many threads as may start at once */
	struct pool *slow_pool; /* ends of builds, which wait for the disk */
	const json_t *seccomp;
	/* A run has changed. */
	void (*changed)(void *arg, const struct engine_run *run);
	/* A run was submitted that needs the base system, which is not there. */
	void (*need_base)(void *arg);
	void *arg;
};

/* Adopts what runs. `setup` is copied; what it points to must outlive the fleet. */
must_check int fleet_new(const struct fleet_setup *setup, struct fleet **out, struct err *err);
void fleet_free(struct fleet *fleet); /* runs go on */
DEFINE_OWNED(struct fleet *, fleet_free);

/* The base system is there under this name; or NULL and why it could not be made. */
void fleet_base(struct fleet *fleet, const char *name, const struct err *err);

/*
 * Start a run that a request describes; a key that exists is no error. The fleet keeps a copy of
 * the message. Errors: ERR_INVALID, ERR_BUSY.
 */
must_check int fleet_submit(struct fleet *fleet, const void *message, size_t length,
			    struct err *err);

/* An unknown key is no error for any of these. */
void fleet_stop(struct fleet *fleet, const char *key, uint32_t grace_ms);
/* The state that comes of it, or stays, is told by `changed`. */
void fleet_suspend(struct fleet *fleet, const char *key);
must_check int fleet_resume(struct fleet *fleet, const char *key, struct err *err);
/* Errors: ERR_BUSY where it is not frozen. */
must_check int fleet_page_out(struct fleet *fleet, const char *key, struct err *err);
must_check int fleet_forget(struct fleet *fleet, const char *key, struct err *err);

/* What a run uses. Errors: ERR_NOT_FOUND for one that has no process. */
must_check int fleet_measure(struct fleet *fleet, const char *key, struct engine_metrics *out,
			     struct err *err);

void fleet_each(struct fleet *fleet, void (*each)(void *arg, const struct engine_run *run),
		void *arg);
