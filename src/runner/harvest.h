#pragma once

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "runner/record.h"

/*
 * Harvest: takes what an owner's build has made out of its disk image. Package code has written
 * there what it liked, so it is copied by cp(1) without any right of root, in a mount namespace
 * where the image is read-only. Devices and set-user-ID bits can't come along; owners don't.
 */

/*
 * Copy build/out-KEY of the image into the folder `target`, which belongs to `dir->ids_base`.
 * Waits until the build's own mount has ended.
 */
must_check int harvest(const struct datadir *dir, const struct record *record, int image,
		       int target, struct err *err);
