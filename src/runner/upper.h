#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * The writable layer of a run: a sparse ext4 image of a bounded size behind a loop device, so that
 * no Space can fill the disk. The image has no name and the device clears itself, so both are gone
 * with the last mount, whoever dies.
 */
enum { UPPER_DEVICE_ROOM = 32 };

struct upper {
	int loop_fd; /* keeps the device until it is mounted */
	char device[UPPER_DEVICE_ROOM];
};

#define UPPER_INIT ((struct upper){.loop_fd = -1})

/* Make an image of `bytes` on the file system of the folder `parent`, and its device. */
must_check int upper_open(int parent, uint64_t bytes, struct upper *out, struct err *err);
void upper_done(struct upper *upper);

/* Mount it at `target`, in the mount namespace of the caller. */
must_check int upper_mount(const struct upper *upper, const char *target, struct err *err);
