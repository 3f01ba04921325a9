#pragma once

#include "base/err.h"
#include "base/own.h"

/*
 * The file packed-refs, in which git keeps references that do not move (gitrepository-layout(5)).
 * Who changes it holds its lock.
 */
#define PACKED_LOCK "packed-refs.lock"

/* Take a reference out, durably; it need not be there. */
must_check int packed_remove(int repo_fd, const char *name, struct err *err);
