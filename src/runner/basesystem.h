#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/own.h"
#include "runner/runner.h"

/*
 * The base system that all Spaces stand on: a minimal distribution with Python, made by mmdebstrap
 * from the machine's own package sources. It is layers/base-HEX, HEX from its list of packages; the
 * link layers/base names the current one, which is how the hub learns it (for keys of
 * environments).
 *
 * It is made in cache/, root's own folder, and renamed when complete: whatever dies in between
 * leaves a folder that the next attempt removes.
 */
struct basesystem;

enum { BASESYSTEM_NAME_ROOM = 24 };

/* `done` is called in the loop's thread after each attempt: with NULL, or the failure. */
must_check int basesystem_new(const struct runner_config *config, struct loop *loop,
			      void (*done)(void *arg, const struct err *err), void *arg,
			      struct basesystem **out, struct err *err);
void basesystem_free(struct basesystem *base); /* ends a running attempt */
DEFINE_OWNED(struct basesystem *, basesystem_free);

/* Name of the layer, or NULL while there is none. */
const char *basesystem_name(struct basesystem *base);

/* Start an attempt, unless one runs. */
void basesystem_make(struct basesystem *base);
