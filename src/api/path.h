#pragma once

#include "base/err.h"
#include "base/own.h"

/*
 * A path that a client wants to write to. Errors: ERR_UNPROCESSED for what name_path_is_valid()
 * refuses, and for a component ".cache", where clients keep the state of their downloads (Wire:
 * B2).
 */
must_check int path_check(const char *path, struct err *err);
