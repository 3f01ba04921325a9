#pragma once

#include <stdbool.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"
#include "runner/record.h"

/*
 * What a build writes: cache/SCOPE/out-KEY becomes layers/RESULT. SCOPE is the folder that the
 * container sees as /build; it holds uv's cache too, so that files of a layer are hard links into
 * it.
 */

/* Does a layer exist? Names of layers are checked before (runner/check.h). */
bool output_exists(const struct datadir *dir, const char *layer);

/* Make the folders of a build, with its out-KEY empty, and open the folder SCOPE. */
must_check int output_prepare(const struct datadir *dir, const struct engine_spec *spec, int *scope,
			      struct err *err);

/* Rename the output into place, durably; where the layer exists by now, ours is dropped. */
must_check int output_keep(const struct datadir *dir, const struct record *record, struct err *err);

/* Remove the output of a build that failed; none is fine. */
must_check int output_drop(const struct datadir *dir, const struct record *record, struct err *err);
