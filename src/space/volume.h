#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "store/store.h"

/*
 * Volumes: repositories and buckets that a Space wants to see as folders. They are kept as the
 * objects of the wire, with the fields that it names and no others.
 *
 * Wire: A11.
 */
enum { VOLUME_COUNT_MAX = 64, VOLUME_TEXT_MAX = 1024 };

/* Check a list of volumes; NULL is as good as an empty one. Errors: ERR_INVALID, ERR_TOO_LARGE. */
must_check int volume_check(const json_t *list, struct err *err);

/* Replace all volumes. 1 changed, 0 the same as before, -1 failed. Errors: as volume_check(). */
must_check int volume_set(struct store_db *db, int64_t repo_id, const json_t *list,
			  struct err *err);

/* The list, in the order in which it was set. Belongs to the caller. */
must_check int volume_list(struct store_db *db, int64_t repo_id, json_t **out, struct err *err);
