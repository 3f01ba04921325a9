#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"
#include "runner/record.h"
#include "runner/runner.h"

/*
 * A worker's jobs: from a spec to a running process, and from an ended process to nothing but its
 * record. Both block for some ten milliseconds, and both leave a run in a state that a new runner
 * understands, wherever they are cut off.
 *
 * Threads: any; several runs at once.
 */
struct start_plan {
	const struct runner_config *config;
	const struct engine_spec *spec;
	const json_t *seccomp;
	const char *base; /* name of the base system's layer */
};

/* Start a run: `record` is RUNNING then. Where that fails it is ENDED, cleaned up, with the reason.
 */
void start_run(const struct start_plan *plan, struct record *record);

/*
 * Clean up after a run whose process or monitor is gone; keep what a build has made. `record` is
 * ENDED then, and written. `reason`: why it has ended if nobody wrote down an exit status.
 */
void start_finish(const struct datadir *dir, struct record *record, const char *reason);
