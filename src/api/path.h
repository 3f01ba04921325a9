#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/own.h"

/*
 * A path that a client wants to write to, or ERR_UNPROCESSED with what is wrong about it: the rules
 * of name_path_is_valid() (Wire: B2).
 */
must_check int path_check(const char *path, struct err *err);

/*
 * Is this address, raw and served by no row, about a repository whose name has one part, such as
 * "gpt2"? The real hub has such names, so scripts ask for them, and want to hear that there is no
 * such repository (Wire: D).
 */
bool path_names_short_repo(const char *address);
