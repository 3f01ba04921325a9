#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/datadir.h"
#include "base/err.h"

/*
 * Processes of which nobody has written down the id: a conmon that was just starting when the
 * runner was killed, and the runc that makes its container. They are found by what they were called
 * with, and go on making the container if they are left alone.
 */

/* Kill those of one run, or of the whole instance where `key` is NULL, until none is found. */
must_check int strays_kill(const struct datadir *dir, const char *key, struct err *err);

/* Call `each` for every conmon of the instance, with the key of its run, which a call may end. */
must_check int strays_each(const struct datadir *dir,
			   void (*each)(void *arg, pid_t pid, const char *key), void *arg,
			   struct err *err);

/* Is this process still a conmon or runc of that run? */
bool strays_is(const struct datadir *dir, pid_t pid, const char *key);
/* Kill this one alone, if it still is. */
void strays_end(const struct datadir *dir, pid_t pid, const char *key);
