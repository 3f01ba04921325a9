#pragma once

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"

/*
 * The cgroups of runs, /espace-ID/KEY. runc makes them and sets their limits; here is what else is
 * done with them, and all that differs between v1, hybrid and v2.
 */

/* Can memory plus swap be limited? */
bool cgroup_counts_swap(void);

/* Are the buffers of sockets limited apart from memory, as version 1 does? */
bool cgroup_counts_sockets(void);

/* Stop or go on with all processes of a run. Returns when they have. */
must_check int cgroup_freeze(const struct datadir *dir, const char *key, bool frozen,
			     struct err *err);

/* Kill all processes of a run, or of the instance where `key` is NULL, and wait until they are
 * gone. */
must_check int cgroup_kill(const struct datadir *dir, const char *key, struct err *err);

/* Remove the empty cgroups of a run, or of the instance. */
must_check int cgroup_remove(const struct datadir *dir, const char *key, struct err *err);
