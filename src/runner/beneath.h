#pragma once

#include <sys/types.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"

/*
 * Opening what lies in the data directory as root. The directory belongs to the hub's user, who
 * could put a link where a folder was; so nothing here follows one, and what root writes to is
 * checked to be root's. run/ is a mount point and can't be moved: plain paths below it are good.
 */

/* Open `name` below the data directory through no link. Errors: ERR_NOT_FOUND. */
must_check int beneath_open(const struct datadir *dir, const char *name, int flags, int *out,
			    struct err *err);

/* Open cache/, which must be root's. */
must_check int beneath_open_cache(const struct datadir *dir, int *out, struct err *err);

/* Open layers/, the hub's: only for renaming into it and for looking at names. */
must_check int beneath_open_layers(const struct datadir *dir, int *out, struct err *err);

/* Make the folder where missing, and give it this owner and mode. */
must_check int beneath_make_dir(int parent, const char *name, uid_t owner, mode_t mode,
				struct err *err);

/*
 * The log file of a run, spaces/SPACE/logs/LOG: made where missing, the hub's, a plain file.
 * Opened for writing.
 */
must_check int beneath_open_log(const struct datadir *dir, const char *space, const char *log,
				int *out, struct err *err);
