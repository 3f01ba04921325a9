#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "store/store.h"

/*
 * Wishes: what a person changes about a Space that is there. Each is written with the stage that it
 * leads to, in the caller's transaction. A push, a restart and the end are in space/space.h.
 *
 * A change that the app can only see in a new process ends the run at once, so that it keeps no
 * revoked secret. The new run waits for WISH_SETTLE_MS after the last of such changes: several make
 * one restart. Other hardware revokes nothing: there what serves goes on until the next run may
 * begin, and ends then. A paused Space stays paused, one that could not be built is not built anew,
 * and a static one has no process.
 *
 * All return 1 where something has changed, 0 for what was wished already, -1 for a failure.
 * Errors: ERR_NO_REPO, ERR_INVALID with a sentence for the caller.
 * Wire: A9, A10.
 */
enum { WISH_SETTLE_MS = 500 };

/* A secret or variable was changed by space/keys.h. */
must_check int wish_keys(struct store_db *db, int64_t repo_id, struct err *err);
must_check int wish_pause(struct store_db *db, int64_t repo_id, struct err *err);
/* `sleep_s` 0: not said. The flavor is one that there is. */
must_check int wish_hardware(struct store_db *db, int64_t repo_id, const char *flavor,
			     int64_t sleep_s, struct err *err);
/*
 * The same for hardware that is not to be had now: the Space waits for it (space/place.h), and what
 * it runs, if that serves, goes on until its turn has come.
 */
must_check int wish_hardware_later(struct store_db *db, int64_t repo_id, const char *flavor,
				   int64_t sleep_s, struct err *err);
/* Where the flavor has a fixed sleep time, nothing changes. */
must_check int wish_sleep(struct store_db *db, int64_t repo_id, int64_t sleep_s, struct err *err);
/* "" gives the storage up with all that is in it. Otherwise it only grows. */
must_check int wish_storage(struct store_db *db, int64_t repo_id, const char *tier,
			    struct err *err);
/* All volumes, by space/volume.h; NULL for none. */
must_check int wish_volumes(struct store_db *db, int64_t repo_id, const json_t *list,
			    struct err *err);
