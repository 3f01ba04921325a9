#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Fence: the files that a process may still open, by the kernel's Landlock. What is named stays,
 * all else is as if it were forbidden by its mode. Descriptors that are open stay as they are.
 *
 * Kernels since 5.13 have it, where their administrator has not left it out of the boot line. With
 * newer ones more is refused: cutting files (6.2), listening on TCP (6.7), ioctls of devices
 * (6.10), signals and abstract sockets of processes outside (6.12).
 *
 * Threads: call it before any is started; those started later inherit it, and so do children.
 */
enum fence_right {
	FENCE_READ,
	FENCE_RUN,   /* start as a program, and read */
	FENCE_WRITE, /* make, change, rename, remove, and read; never start */
};

struct fence_path {
	const char *path; /* a folder stands for all in it. What is not there is skipped */
	enum fence_right right;
};

/* *version is what the kernel has of it (landlock(7)), 0 where it has none: nothing is fenced then.
 * Errors: ERR_SYSTEM. */
must_check int fence_enter(const struct fence_path *paths, size_t count, int *version,
			   struct err *err);
