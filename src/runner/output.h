#pragma once

#include <stdbool.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"
#include "runner/record.h"

/*
 * What a build writes, and how it becomes layers/RESULT.
 *
 * A shared build writes cache/shared/out-KEY. The container sees cache/shared as /build; uv's cache
 * is in it too, so that files of a layer are hard links into it. An owner's build has a disk image
 * of its own for all that it writes, cache/KEY.img; what it has made is copied out of it to
 * cache/out-KEY (harvest.h), and the image goes.
 */

/* A name of a cache, as specs and records have it: is it an owner's? */
bool output_is_own(const char *cache);

/* Name of an owner's disk image in cache/. For free(). */
char *output_image(const char *key);

/* Does a layer exist? Names of layers are checked before (runner/check.h). */
bool output_exists(const struct datadir *dir, const char *layer);

/* Make the folders of a shared build, with its out-KEY empty, and open its cache. */
must_check int output_prepare(const struct datadir *dir, const struct engine_spec *spec, int *scope,
			      struct err *err);

/* Rename the output into place, durably; where the layer exists by now, ours is dropped. */
must_check int output_keep(const struct datadir *dir, const struct record *record, struct err *err);

/* Remove the output of a build that failed; none is fine. */
must_check int output_drop(const struct datadir *dir, const struct record *record, struct err *err);

/* Remove what an owner's build of this key has left in cache/. */
must_check int output_drop_own(const struct datadir *dir, const char *key, struct err *err);

/* Remove what owners' builds have left of which nobody knows any more: after a power cut, say. */
must_check int output_sweep(const struct datadir *dir, struct err *err);
