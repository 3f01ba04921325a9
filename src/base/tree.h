#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * How many bytes of the disk come free when a file or folder is removed: blocks of all files in it
 * that have no other name. Follows no link and crosses no mount. What vanishes meanwhile counts as
 * nothing, and so does what may not be read.
 */
must_check int tree_bytes(int dirfd, const char *path, int64_t *out, struct err *err);
