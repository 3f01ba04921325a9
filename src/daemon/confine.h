#pragma once

#include "base/datadir.h"
#include "base/err.h"

/*
 * What the hub gives up before it serves anybody, so that whoever finds a hole in it has gained
 * little: files but for those of the data directory and what git and the libraries read, programs
 * but for git (fence.h), and system calls that neither needs (callfilter.h). Its other rights went
 * before (role.h).
 *
 * Threads: before any is started. It may read in `folders` as well, NULL-terminated.
 */
must_check int confine_hub(const struct datadir *dir, char *const *folders, struct err *err);
