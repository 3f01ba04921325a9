#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/datadir.h"
#include "base/own.h"

/*
 * Growth: has a shared build written more than it may? Its folder is the real disk, where files are
 * shared by hard links, so no file system counts them for us. Only uv writes there, no package
 * code: what it has written lies in the folder, with a time of change since the build's start.
 * Builds that run at the same time answer for each other's files.
 *
 * Looking at all files may take a second, so it is done only after the free space of the disk has
 * shrunk by a part of the limit.
 */
struct growth {
	uint64_t limit;      /* bytes; 0: never over */
	int64_t since_s;     /* wall clock, of the build's start */
	uint64_t free_bytes; /* of the disk, when we last looked */
};

struct growth growth_of(const struct datadir *dir, uint64_t limit, int64_t since_s);

/* What can't be looked at has not grown. */
bool growth_is_over(struct growth *growth, const struct datadir *dir);
