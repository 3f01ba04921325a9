#pragma once

#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"
#include "runner/runner.h"

/*
 * What a run sees as its file system. It is prepared here as detached mounts, and put together in a
 * mount namespace that conmon and runc are born into (mounts_enter): so the mounts live exactly as
 * long as they do, and none is ever in the machine's own table.
 *
 * In that namespace the bundle holds
 *
 *     rootfs   overlay: base system, the spec's layers, a fresh bounded upper
 *     log      the log file
 *     init     the static init
 *     build    builds: the folder of the cache, writable
 *     in       builds: run/in/KEY
 *     uv, steps
 */
struct mounts;

/* `base` is the name of the base system's layer. Blocks for some milliseconds. */
must_check int mounts_new(const struct runner_config *config, const struct engine_spec *spec,
			  unsigned slot, const char *base, struct mounts **out, struct err *err);
void mounts_free(struct mounts *mounts);
DEFINE_OWNED(struct mounts *, mounts_free);

/* In a child, before exec: a `prepare` for base/proc.h. */
int mounts_enter(void *mounts, struct err *err);
