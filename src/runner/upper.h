#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * The writable layer of a run: a sparse ext4 image of a bounded size behind a loop device, so that
 * no Space can fill the disk. The device clears itself, and an image without a name does, so they
 * are gone with the last mount, whoever dies. An image with a name is read again by harvest.h.
 */
enum { UPPER_DEVICE_ROOM = 32 };

struct upper {
	int loop_fd; /* keeps the device until it is mounted */
	char device[UPPER_DEVICE_ROOM];
};

#define UPPER_INIT ((struct upper){.loop_fd = -1})

/* Make an image of `bytes` in the folder `parent`, and its device. No `name`: NULL. */
must_check int upper_open(int parent, const char *name, uint64_t bytes, struct upper *out,
			  struct err *err);
/* A device for an image that exists. */
must_check int upper_reopen(int image, bool read_only, struct upper *out, struct err *err);
void upper_done(struct upper *upper);
static inline void own_upper_done(struct upper *held)
{
	upper_done(held);
}

/* Has the machine's disk room for what an image needs at first? Errors: ERR_FULL. */
must_check int upper_check_room(int image, struct err *err);

/* Is the image behind some device still, because a mount of it is just ending? */
bool upper_is_held(int image);

/* Mount it at `target`, in the mount namespace of the caller. */
must_check int upper_mount(const struct upper *upper, const char *target, struct err *err);
