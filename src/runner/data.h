#pragma once

#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"

/*
 * Data disks: what a Space keeps at /data over all of its runs. Each is a sparse ext4 image,
 * spaces/ID/data.img, root's; the files in it belong to the ids that the container sees, and are
 * shown to it through an idmapped mount, so that no run has to own them anew.
 *
 * One writer. Whoever works on an image holds its lock (flock(2)), and a loop device holds the open
 * file that it was given, with the lock. So the kernel keeps a second run, fsck or removal out for
 * as long as anything is mounted, whoever of us was killed meanwhile.
 *
 * Threads: any. All of these may wait some seconds for an earlier run's mounts to go.
 */
#define DATA_IMAGE "data.img"
/* One that is being made; a cut attempt leaves it, the next one takes it away. */
#define DATA_IMAGE_NEW "data-new.img"

/*
 * The disk of a Space as a detached mount, for the slot whose user ids begin at `ids`; it goes away
 * with its descriptor unless it is attached by then. Made where missing, checked after a crash, and
 * grown to `bytes` where it is smaller, with all that is in it.
 * Errors: ERR_BUSY where it is in use, ERR_FULL, ERR_INVALID where it is damaged beyond what e2fsck
 * puts right by itself.
 */
must_check int data_open(const struct datadir *dir, const char *space, uint64_t bytes, uint32_t ids,
			 int *out, struct err *err);

/* Remove it for good; none is fine. Errors: ERR_BUSY where it is in use. */
must_check int data_drop(const struct datadir *dir, const char *space, struct err *err);

/* Wait until no disk of this data directory is in use. Errors: ERR_BUSY. */
must_check int data_settle(const struct datadir *dir, struct err *err);

/* Size of the file system in an image, by its superblock. Errors: ERR_INVALID where there is none.
 */
must_check int data_size(int image, uint64_t *out, struct err *err);
