#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

/*
 * Files, beneath a directory descriptor (AT_FDCWD for paths of our own making). Everything opened
 * is close-on-exec. Durable means: data and directory entry are on the disk when the call returns.
 */

/* Append the whole file to `out`. Errors: ERR_NOT_FOUND, ERR_TOO_LARGE by out->max, ERR_SYSTEM. */
must_check int file_read(int dirfd, const char *path, struct str *out, struct err *err);

/* Replace or make the file atomically and durably. */
must_check int file_write(int dirfd, const char *path, const void *bytes, size_t length,
			  mode_t mode, struct err *err);

/* Write all bytes, over short writes and EINTR. */
must_check int file_put(int fd, const void *bytes, size_t length, struct err *err);

/* mkdir -p. A directory that exists keeps its mode and owner. */
must_check int file_make_dirs(int dirfd, const char *path, mode_t mode, struct err *err);

/* rm -rf that follows no link and crosses no mount. A path that is missing is no error. */
must_check int file_remove_tree(int dirfd, const char *path, struct err *err);

/* fsync a directory, so that a rename or link in it is durable. */
must_check int file_sync_dir(int dirfd, const char *path, struct err *err);

bool file_exists(int dirfd, const char *path);
