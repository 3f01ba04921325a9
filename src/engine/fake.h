#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"
#include "engine/engine.h"

/*
 * An engine that starts nothing, for tests of what stands above engines. Runs move when the test
 * says so; an automatic one lets a submitted run start and a stopped one end by themselves.
 * Reports come through the loop, as from a real engine: never from inside of a call.
 */
must_check int engine_fake_new(struct loop *loop, bool automatic, struct engine **out,
			       struct err *err);

/*
 * Move a run. RUNNING gives it the address 127.0.0.1; ENDED takes `exit_status`.
 * Errors: ERR_NOT_FOUND for an unknown key.
 */
must_check int engine_fake_set(struct engine *engine, const char *key, enum engine_state state,
			       int exit_status, struct err *err);

/* The same for a run that never started, was lost or was out of memory. */
must_check int engine_fake_end(struct engine *engine, const char *key, int exit_status, bool oom,
			       const char *reason, struct err *err);

/* The next submit fails with this error. */
void engine_fake_refuse(struct engine *engine, const struct err *err);

/*
 * The machine lacks this today (enum engine_capability; 0: nothing): what is asked for by suspend()
 * or page_out() does not happen, and the report says so.
 */
void engine_fake_lack(struct engine *engine, unsigned capabilities);

/* What the machine has and has left; until then half of a gigabyte of memory, and no swap space. */
void engine_fake_memory(struct engine *engine, const struct meminfo *memory);

/* Report a gap, as after a restart of the runner. */
void engine_fake_lose(struct engine *engine);

/* What the next measurements of a run say; until then its `metrics` are NULL. */
void engine_fake_use(struct engine *engine, const struct engine_metrics *metrics);

/* What was submitted, in order; NULL behind the last. The fake's own copies. */
const struct engine_spec *engine_fake_submission(const struct engine *engine, size_t index);

/* How often stop() was called for a key, and the grace of the last call. */
size_t engine_fake_stops(const struct engine *engine, const char *key, uint32_t *grace_ms);

/* How often drop_data() was called for a Space. It is answered by itself. */
size_t engine_fake_drops(const struct engine *engine, const char *space);

/* The next of them is answered by this error. */
void engine_fake_fail_drop(struct engine *engine, const struct err *err);
