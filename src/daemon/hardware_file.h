#pragma once

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "space/hardware.h"

/*
 * The file DIR/hardware.yaml (space/hardware.h).
 */

/*
 * Is the file in order, if there is one? Asked by the keeper before anything starts, so that a
 * mistake in it is told to whoever starts espaced. Errors: ERR_INVALID that names the line.
 */
must_check int hardware_file_check(const struct datadir *dir, struct err *err);

/*
 * Read the file; the first time it is made from what the machine has, cards as the CDI files in
 * these folders say (engine/cdi.h). Errors: the same.
 */
must_check int hardware_file_open(const struct datadir *dir, const char *const *cdi_folders,
				  struct hardware **out, struct err *err);
