#pragma once

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "daemon/settings.h"

/*
 * Keeper: the root process that reads no network byte. It mounts run/, binds the sockets, starts
 * nginx, runner and hub, drops the rights of each, and starts again what dies. It keeps no state:
 * whatever it needs to know about an earlier keeper's children is in run/.
 *
 * SIGTERM ends keeper, hub and runner; nginx and Spaces go on, for a new keeper to take over.
 * SIGINT ends everything (see teardown.h).
 */
struct keeper_config {
	const struct datadir *dir;
	const struct settings *settings;
	const char *const *options; /* our own options, NULL-terminated: hub and runner get them */
};

/* Run until a signal. The caller holds the data directory's lock. */
must_check int keeper_run(const struct keeper_config *config, struct err *err);

/*
 * Hold the data directory, prepared or not, until the descriptor is closed. Errors: ERR_BUSY where
 * another process does.
 */
must_check int keeper_lock(const char *path, int *out, struct err *err);

/* Pid of the keeper that holds it, checked by start time; 0 for none. */
must_check int keeper_find(const struct datadir *dir, pid_t *out, struct err *err);
