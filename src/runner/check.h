#pragma once

#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"

/*
 * What a request may say. The hub is not root, so every field is held against a fixed form before
 * it names a file, a process, a cgroup or an argument: names of a few letters, never a path of the
 * host.
 *
 * Errors: ERR_INVALID that names the field, for all of them.
 */
must_check int check_spec(const struct engine_spec *spec, struct err *err);

/* A key: 24 hex digits and "-N" of an app, "env-HEX" of a build, each with "-N" behind it or not.
 */
must_check int check_key(const char *key, struct err *err);

/* The id of a Space. */
must_check int check_space(const char *space, struct err *err);
