#pragma once

#include "base/datadir.h"
#include "base/err.h"

/*
 * Processes of which nobody has written down the id: a conmon that was just starting when the
 * runner was killed, and the runc that makes its container. They are found by what they were called
 * with, and go on making the container if they are left alone.
 */

/* Kill those of one run, or of the whole instance where `key` is NULL, until none is found. */
must_check int strays_kill(const struct datadir *dir, const char *key, struct err *err);
