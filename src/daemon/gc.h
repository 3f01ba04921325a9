#pragma once

#include "base/err.h"
#include "base/own.h"
#include "daemon/options.h"

/*
 * The word `gc`: collect what nothing needs any more (space/collect.h), trim the caches of builds,
 * and say how much came free. A hub may run meanwhile: rows and locks keep the two apart, so the
 * keeper starts this same word once a day (chores.h).
 *
 * As root a child of the owner's does the owner's part; what belongs to users of containers is
 * removed by root after it.
 * Errors: ERR_BUSY where another gc runs.
 */
must_check int gc_word(const struct options *options, struct err *err);
