#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "store/store.h"

/*
 * The schema is a list of steps, schema/NNNN_*.sql in the order of their numbers, compiled in. The
 * database says in `PRAGMA user_version` how many it has been through.
 */

/*
 * Take the steps that are missing, each in one transaction. Two processes may try at once.
 * Errors: ERR_INVALID for a database of a newer program.
 */
must_check int schema_update(struct store_db *db, struct err *err);

/* Steps, as made from the files by schema/embed.py; NULL behind the last. */
extern const char *const schema_steps[];
