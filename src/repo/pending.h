#pragma once

#include "base/syncs.h"
#include "repo/inner.h"

/*
 * Small new objects, in memory until they are to be made durable: a backend of libgit2. Most
 * commits consist of nothing else. Written by libgit2 each would pass through a folder of its own
 * that is removed again, and ext4 avoids the inodes of what was just removed: half of the processor
 * time of a commit went into the search for others.
 *
 * What finds no room here goes to the next backend.
 */
struct pending;

/* Belongs to `odb`, which frees it. `overflow` is called before the first object without room. */
must_check int pending_new(git_odb *odb, int objects_fd, void (*overflow)(void *arg), void *arg,
			   struct pending **out, struct err *err);

/* Remove files that were written and not moved. */
void pending_abandon(struct pending *pending);

/* How many are in memory only. */
size_t pending_count(const struct pending *pending);

/* Write those into files beside the database's folders. `syncs` NULL: the caller syncs them. */
must_check int pending_write(struct pending *pending, struct syncs *syncs, struct err *err);

/* Hand over what was written and synced: the name of each file, and the object's id in hex. */
must_check int pending_move(struct pending *pending,
			    int (*move)(void *arg, const char *file, const char *hex,
					struct err *err),
			    void *arg, struct err *err);
