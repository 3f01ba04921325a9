#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * Idmapped mounts (mount_setattr(2)): files that belong to `uid`… on disk show as `target`… . The
 * map is that of a user namespace made for it.
 */
struct idmap {
	uint32_t uid;    /* first user id on disk */
	uint32_t gid;    /* first group id on disk */
	uint32_t target; /* first id of both as seen through the mount */
	uint32_t count;
};

/*
 * A detached clone of the mount at `fd` (a folder or file), read-only or not, through the map; NULL
 * for none. It goes away with its descriptor unless it is attached by then.
 */
must_check int idmap_clone(int fd, const struct idmap *map, bool read_only, int *out,
			   struct err *err);

/* The same for a mount that is detached already, and has no map yet. */
must_check int idmap_set(int mount, const struct idmap *map, bool read_only, struct err *err);
