#pragma once

#include "base/err.h"
#include "base/own.h"

/*
 * A path that a client wants to write to, or ERR_UNPROCESSED with what is wrong about it: the rules
 * of name_path_is_valid() (Wire: B2).
 */
must_check int path_check(const char *path, struct err *err);
