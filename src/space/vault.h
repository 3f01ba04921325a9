#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "store/store.h"

/*
 * Vault: seals secrets for the database with libsodium's XChaCha20-Poly1305. The key for that is
 * drawn once and lies in the database, sealed by DIR/secret.key; so a stolen database or backup
 * opens nothing, and the file can be changed without touching every secret.
 *
 * A sealed value is bound to its place (Space and name): a row that is moved to another does not
 * open.
 *
 * Threads: any; a vault never changes.
 */
struct vault;

/*
 * Open with the key file, which is made (32 bytes, 0400) while no secret exists yet.
 * Errors: ERR_NOT_FOUND for a file that is gone, ERR_INVALID for one that does not fit the
 * database.
 */
must_check int vault_open(const char *key_path, struct store *store, struct vault **out,
			  struct err *err);
void vault_free(struct vault *vault);
DEFINE_OWNED(struct vault *, vault_free);

/* Another key of the hub, 32 bytes for the use that eight letters name; for secret_free(). */
struct secret *vault_derive(const struct vault *vault, const char *use);

/* The longest value of a secret or variable. */
enum { VAULT_VALUE_MAX = 64 * 1024 };

/* *sealed is for free(). */
void vault_seal(const struct vault *vault, const char *place, const char *value, void **sealed,
		size_t *length);
/* Errors: ERR_INVALID for a value that was not sealed here for this place. */
must_check int vault_unseal(const struct vault *vault, const char *place, const void *sealed,
			    size_t length, struct secret **out, struct err *err);
