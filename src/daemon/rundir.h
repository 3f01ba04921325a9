#pragma once

#include <stdbool.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"

/*
 * DIR/run: a tmpfs of our own, for /run is on disk on some machines. It holds secrets (bundles),
 * the route table and the sockets; it outlives keeper, hub and runner and goes with `stop` or a
 * reboot.
 */

/* Mount it where it is not, and make what the others expect in it. */
must_check int rundir_mount(const struct datadir *dir, struct err *err);

/* Unmount it. Not mounted is no error. */
must_check int rundir_unmount(const struct datadir *dir, struct err *err);

bool rundir_is_mounted(const struct datadir *dir);

/* A listening unix socket run/NAME, for nginx's workers and nobody else to connect to. */
must_check int rundir_listen(const struct datadir *dir, const char *name, int *out,
			     struct err *err);
