#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * A mark inside of a repository's folder: a call makes or deletes it just now. Folders and rows
 * can't change in one step, so a crash in between leaves a folder without a row. With a mark it is
 * known to be nobody's, and may be removed; without, it may be somebody's (of a database that was
 * brought back from yesterday, say) and stays.
 *
 * Set before the rows change, cleared when a repository that was made has its row. A mark on one
 * that has a row means nothing.
 */

/* Durable. Errors: ERR_FULL, ERR_SYSTEM. */
must_check int mark_set(const char *repo, struct err *err);
void mark_clear(const char *repo);

/* Is it marked, and for longer than this? -1: however short. */
bool mark_is_older(const char *repo, int64_t age_s);
