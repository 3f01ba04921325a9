#pragma once

#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"

/*
 * The caches of builds, cache/SCOPE/cache: uv fills them, and only the whole of one can be taken
 * away safely. A build that starts holds a lock while it makes its folders there (caches_lock());
 * its record is written before, so with the lock in hand records tell whether any build lives.
 */

/* Held until the descriptor is closed. As root. */
must_check int caches_lock(const struct datadir *dir, int *out, struct err *err);

/*
 * While they have more than `max_bytes` together drop whole ones, longest unused first and the
 * shared one last. Does nothing while a build lives. *bytes: what came free. As root.
 */
must_check int caches_trim(const struct datadir *dir, int64_t max_bytes, int64_t *bytes,
			   struct err *err);
