#pragma once

#include <stdbool.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

/*
 * The cgroups of runs, /espace-ID/KEY. runc makes them and sets their limits; here is what else is
 * done with them, and all that differs between v1, hybrid and v2.
 */

/* Can memory plus swap be limited? */
bool cgroup_counts_swap(void);

/*
 * Bound the kernel's buffers of a run's sockets. Version 1 counts them apart from memory and
 * without a limit, and runc sets none; in version 2 they are memory, and nothing is done.
 */
must_check int cgroup_bound_sockets(const struct datadir *dir, const char *key, uint64_t bytes,
				    struct err *err);

/*
 * Have all processes of a run stop where they are; `frozen`: all have. Until then ask again:
 * version 1 forgets those that were just being forked.
 */
must_check int cgroup_freeze(const struct datadir *dir, const char *key, bool *frozen,
			     struct err *err);
bool cgroup_is_frozen(const struct datadir *dir, const char *key);

/* A run that is awake may not gain memory by swapping. */
void cgroup_forbid_swap(const struct datadir *dir, const char *key);

/* Let them go on, all or in part frozen; swapping is forbidden again. */
must_check int cgroup_thaw(const struct datadir *dir, const char *key, struct err *err);

/*
 * Move the memory of a frozen run to swap space. Takes milliseconds to seconds; a signal to the
 * thread ends it with ERR_BUSY. Errors: ERR_NOT_FOUND where there is no swap space, ERR_FULL where
 * it has no room for the most of it.
 */
must_check int cgroup_page_out(const struct datadir *dir, const char *key, struct err *err);

/*
 * The weight of a run among others that want the processors, in shares of version 1. It follows
 * from what the run may use; one that starts has four times as much, since somebody waits for it
 * and a few seconds of processor time are most of what it needs.
 */
uint64_t cgroup_shares(uint32_t cpu_milli, bool starts);

/* A run starts no more. */
must_check int cgroup_settle(const struct datadir *dir, const char *key, uint32_t cpu_milli,
			     struct err *err);

/* Kill all processes of a run, or of the instance where `key` is NULL, and wait until they are
 * gone. */
must_check int cgroup_kill(const struct datadir *dir, const char *key, struct err *err);

/* Remove the empty cgroups of a run, or of the instance. */
must_check int cgroup_remove(const struct datadir *dir, const char *key, struct err *err);

/* Call `each` for what the instance has, by its key; once for each hierarchy where it is. */
void cgroup_each(const struct datadir *dir, void (*each)(void *arg, const char *key), void *arg);

/* Is there one hierarchy (version 2), or several? */
bool cgroup_is_v2(void);

/*
 * Read a file of a run's cgroup; in version 2 the hierarchy must be NULL. Errors: ERR_NOT_FOUND
 * where the run has ended.
 */
must_check int cgroup_read(const struct datadir *dir, const char *key, const char *hierarchy,
			   const char *file, struct str *out, struct err *err);

/* Is there one of this run? */
bool cgroup_exists(const struct datadir *dir, const char *key);
