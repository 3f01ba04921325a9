#pragma once

#include <stdint.h>

#include "base/err.h"

/*
 * How many bytes the files of a repository have on the disk. Looks at each of them, so it is for
 * who asks about few repositories. A file that comes or goes meanwhile counts or doesn't.
 *
 * Errors: ERR_NO_REPO where there is no such folder.
 */
must_check int usage_of(const char *path, int64_t *out, struct err *err);
