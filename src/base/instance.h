#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"

/*
 * Instances: what makes the data directories of one machine differ (see datadir.h).
 *
 * `DIR/instance` records it as text; /run/espace holds one small file for each instance that was
 * claimed since the machine started, named by its id, with the path of its data directory. Entries
 * whose directory is gone or has another id are stale: the next claim removes them.
 */
struct instance {
	char id[INSTANCE_ROOM];
	uint32_t network; /* host byte order */
	unsigned block;
	uint32_t ids_base;
};

/* Read `DIR/instance`. Errors: ERR_NOT_FOUND where there is none, ERR_INVALID. */
must_check int instance_read(int dirfd, struct instance *out, struct err *err);

/*
 * Keep the instance of the directory `path`, or give it another where it has none, is a copy of a
 * directory that lives on, or its block is not free any more. `pool` is the first address of a /16.
 * Errors: ERR_FULL where no block is free; ERR_INVALID for a pool that is none, and where the
 * directory has layers of another `ids_base`.
 */
must_check int instance_claim(int dirfd, const char *path, uint32_t pool, uint32_t ids_base,
			      struct err *err);
