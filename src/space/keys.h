#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "space/vault.h"
#include "store/store.h"

/*
 * Keys: the variables and secrets of a Space, in the order in which they were added. Variables can
 * be read back, secrets only by the app; in the database they are sealed.
 *
 * Whether the Space must be restarted after a change is the caller's to say.
 *
 * Wire: A9.
 */
enum { KEYS_NAME_MAX = 256, KEYS_DESCRIPTION_MAX = 4096, KEYS_COUNT_MAX = 256 };

struct keys_entry {
	const char *key;
	const char *value;
	const char *description; /* NULL or "" for none */
};

/* Names that an environment can hold. Errors: ERR_INVALID. */
must_check int keys_check(const struct keys_entry *entry, struct err *err);

/* From {key, value, description?}; the texts stay borrowed. Errors: ERR_INVALID. */
must_check int keys_from_json(const json_t *object, struct keys_entry *out, struct err *err);

/* Add or replace. A replaced key keeps its place. Errors: ERR_INVALID, ERR_TOO_LARGE for too many.
 */
must_check int keys_set_variable(struct store_db *db, int64_t repo_id,
				 const struct keys_entry *entry, struct err *err);
must_check int keys_set_secret(struct store_db *db, int64_t repo_id, const struct vault *vault,
			       const struct keys_entry *entry, struct err *err);

/* Values as the app gets them, in order; they live for the call only. */
must_check int keys_each_variable(struct store_db *db, int64_t repo_id,
				  void (*each)(void *arg, const char *key, const char *value),
				  void *arg, struct err *err);
must_check int keys_each_secret(struct store_db *db, int64_t repo_id, const struct vault *vault,
				void (*each)(void *arg, const char *key, const char *value),
				void *arg, struct err *err);
