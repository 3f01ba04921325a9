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
 * Whether the Space is restarted after a change is space/wish.h.
 *
 * Wire: A9.
 */
enum {
	KEYS_NAME_MAX = 256,
	KEYS_VALUE_MAX = 63 * 1024, /* with name and "=" below what a runner takes: 64 KiB */
	KEYS_DESCRIPTION_MAX = 4096,
	KEYS_COUNT_MAX = 256,       /* of each kind */
	KEYS_BYTES_MAX = 96 * 1024, /* of both kinds: a start sends them (engine/request.h) */
};

enum keys_kind { KEYS_VARIABLE, KEYS_SECRET };

/* The keys of one Space, for as long as a reading or a transaction. */
struct keys {
	struct store_db *db;
	int64_t repo_id;
	const struct vault *vault; /* for secrets */
};

struct keys_entry {
	const char *key;
	const char *value;
	const char *description; /* NULL or "" for none */
};

/* What a call has changed. */
enum keys_change {
	KEYS_SAME,
	KEYS_DESCRIBED, /* nothing that the app could see */
	KEYS_CHANGED,
};

/* Names that an environment can hold. Errors: ERR_INVALID, ERR_TOO_LARGE. */
must_check int keys_check(const struct keys_entry *entry, struct err *err);

/* From {key, value, description?}; the texts stay borrowed. Errors: as keys_check(). */
must_check int keys_from_json(const json_t *object, struct keys_entry *out, struct err *err);

/*
 * Add or replace; a replaced key keeps its place, and what is equal keeps its time. Returns an enum
 * keys_change, or -1. Errors: ERR_INVALID, also for a name that the other kind has; ERR_TOO_LARGE
 * for too many or too long ones.
 */
must_check int keys_set(const struct keys *keys, enum keys_kind kind,
			const struct keys_entry *entry, struct err *err);

/* Returns KEYS_CHANGED, KEYS_SAME where there is no such key, or -1. */
must_check int keys_delete(const struct keys *keys, enum keys_kind kind, const char *key,
			   struct err *err);

/* Values as the app gets them, in order; they live for the call only. */
must_check int keys_each(const struct keys *keys, enum keys_kind kind,
			 void (*each)(void *arg, const char *key, const char *value), void *arg,
			 struct err *err);

/*
 * As clients list them: {KEY: {value?, description?, updatedAt}}, in order, without the values of
 * secrets. Belongs to the caller.
 */
must_check int keys_json(const struct keys *keys, enum keys_kind kind, json_t **out,
			 struct err *err);
