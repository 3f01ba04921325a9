#include "space/vault.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
	KEY_BYTES = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
	NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	MAC_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	EXTRA_BYTES = NONCE_BYTES + MAC_BYTES,
	WRAPPED_BYTES = KEY_BYTES + EXTRA_BYTES,
	KEY_MODE = 0400,
};

static const char wrap_place[] = "vault key 1";
static const char wrap_row[] = "vault.key";

struct vault {
	unsigned char key[KEY_BYTES];
};

/* Nonce, then the sealed bytes; a random nonce of 24 bytes is never drawn twice. */
static void seal(const unsigned char *key, const char *place, const void *bytes, size_t length,
		 unsigned char *out)
{
	randombytes_buf(out, NONCE_BYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_BYTES, NULL, bytes, length,
						   (const unsigned char *)place, strlen(place),
						   NULL, out, key);
}

static int unseal(const unsigned char *key, const char *place, const unsigned char *sealed,
		  size_t length, unsigned char *out)
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt(
		out, NULL, NULL, sealed + NONCE_BYTES, length - NONCE_BYTES,
		(const unsigned char *)place, strlen(place), sealed, key);
}

static int make_master(const char *path, unsigned char *key, struct err *err)
{
	randombytes_buf(key, KEY_BYTES);
	return file_write(AT_FDCWD, path, key, KEY_BYTES, KEY_MODE, err);
}

/* *missing where there is no file. */
static int read_master(const char *path, unsigned char *key, bool *missing, struct err *err)
{
	owned(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	unsigned char extra;

	*missing = fd < 0 && errno == ENOENT;
	if (*missing)
		return 0;
	if (fd < 0)
		return err_sys(err, "open secret.key");
	if (read(fd, key, KEY_BYTES) != KEY_BYTES || read(fd, &extra, 1) != 0)
		return err_set(err, ERR_INVALID, "secret.key is not %d bytes long", KEY_BYTES);
	return 0;
}

/* 1 found, 0 none, -1 failed. */
static int read_wrapped(struct store_db *db, unsigned char out[static WRAPPED_BYTES],
			struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT value FROM meta WHERE key = ?");
	size_t length = 0;
	const char *hex;
	int row;

	store_bind_text(query, wrap_row);
	row = store_step(query, err);
	if (row <= 0)
		return row;
	hex = store_text(query, 0);
	if (sodium_hex2bin(out, WRAPPED_BYTES, hex, strlen(hex), NULL, &length, NULL) != 0 ||
	    length != WRAPPED_BYTES)
		return err_set(err, ERR_INVALID, "the key of secrets in the database is damaged");
	return 1;
}

static int write_wrapped(struct store_db *db, const unsigned char *wrapped, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "INSERT INTO meta (key, value) VALUES (?, ?)");
	char hex[2 * WRAPPED_BYTES + 1];

	hex_write(wrapped, WRAPPED_BYTES, hex);
	store_bind_text(query, wrap_row);
	store_bind_text(query, hex);
	return store_step(query, err) < 0 ? -1 : 0;
}

static int load_key(struct store_db *db, const char *path, unsigned char *master,
		    unsigned char *key, struct err *err)
{
	unsigned char wrapped[WRAPPED_BYTES];
	bool missing;
	int found = read_wrapped(db, wrapped, err);

	if (found < 0 || read_master(path, master, &missing, err) < 0)
		return -1;
	if (found && missing)
		return err_set(err, ERR_NOT_FOUND,
			       "secret.key is missing: bring it back, or no secret can be opened");
	if (missing && make_master(path, master, err) < 0)
		return -1;
	if (found && unseal(master, wrap_place, wrapped, WRAPPED_BYTES, key) != 0)
		return err_set(err, ERR_INVALID, "secret.key is not the one of this database");
	if (found)
		return 0;
	randombytes_buf(key, KEY_BYTES);
	seal(master, wrap_place, key, KEY_BYTES, wrapped);
	return write_wrapped(db, wrapped, err);
}

int vault_open(const char *key_path, struct store *store, struct vault **out, struct err *err)
{
	owned(vault_free) struct vault *vault = mem_new(struct vault);
	owned(store_tx_end) struct store_tx *tx = NULL;
	unsigned char master[KEY_BYTES];
	int result;

	if (sodium_init() < 0)
		return err_set(err, ERR_SYSTEM, "libsodium does not start");
	if (store_tx_begin(store, &tx, err) < 0)
		return -1;
	result = load_key(store_tx_db(tx), key_path, master, vault->key, err);
	sodium_memzero(master, sizeof(master));
	if (result < 0 || store_tx_commit(take(tx), err) < 0)
		return -1;
	*out = take(vault);
	return 0;
}

void vault_free(struct vault *vault)
{
	if (!vault)
		return;
	sodium_memzero(vault->key, sizeof(vault->key));
	free(vault);
}

struct secret *vault_derive(const struct vault *vault, const char *use)
{
	unsigned char bytes[KEY_BYTES];
	struct secret *key;

	_Static_assert((int)KEY_BYTES == (int)crypto_kdf_KEYBYTES, "a key to derive others from");
	assert(strlen(use) == crypto_kdf_CONTEXTBYTES);
	crypto_kdf_derive_from_key(bytes, sizeof(bytes), 1, use, vault->key);
	key = secret_new(bytes, sizeof(bytes));
	sodium_memzero(bytes, sizeof(bytes));
	return key;
}

void vault_seal(const struct vault *vault, const char *place, const char *value, void **sealed,
		size_t *length)
{
	size_t size = strlen(value);
	unsigned char *bytes = mem_alloc(size + EXTRA_BYTES);

	seal(vault->key, place, value, size, bytes);
	*sealed = bytes;
	*length = size + EXTRA_BYTES;
}

int vault_unseal(const struct vault *vault, const char *place, const void *sealed, size_t length,
		 struct secret **out, struct err *err)
{
	owned(free) unsigned char *plain = NULL;

	if (length < EXTRA_BYTES || length > EXTRA_BYTES + VAULT_VALUE_MAX)
		return err_set(err, ERR_INVALID, "a sealed value is damaged");
	plain = mem_alloc(length);
	if (unseal(vault->key, place, sealed, length, plain) != 0)
		return err_set(err, ERR_INVALID, "a sealed value does not open");
	*out = secret_new(plain, length - EXTRA_BYTES);
	sodium_memzero(plain, length);
	return 0;
}
