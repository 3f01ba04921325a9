#include "auth/pass.h"

#include <assert.h>
#include <endian.h>
#include <sodium.h>
#include <string.h>

#include "base/hash.h"

/* Kind, four numbers in little endian, nonce, HMAC-SHA512-256 of all that. */
enum {
	NUMBERS = 4,
	NUMBER_BYTES = sizeof(uint64_t),
	SIGNED_BYTES = 1 + NUMBERS * NUMBER_BYTES + PASS_NONCE,
	ALL_BYTES = SIGNED_BYTES + crypto_auth_BYTES,
	VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
};

_Static_assert(sodium_base64_ENCODED_LEN(ALL_BYTES, VARIANT) == PASS_ROOM, "room for a pass");
/* Without left-over bits no two texts are the same pass. */
_Static_assert(ALL_BYTES % 3 == 0, "whole letters");

static const unsigned char *key_bytes(const struct secret *key)
{
	assert(secret_length(key) == crypto_auth_KEYBYTES);
	return (const unsigned char *)secret_bytes(key);
}

void pass_write(const struct pass *pass, enum pass_kind kind, int64_t now_s,
		const struct secret *key, char out[static PASS_ROOM])
{
	const int64_t life_s = kind == PASS_LINK ? PASS_LINK_S : PASS_COOKIE_S;
	const uint64_t numbers[NUMBERS] = {
		htole64((uint64_t)pass->repo_id),
		htole64((uint64_t)pass->user_id),
		htole64((uint64_t)pass->token_id),
		htole64((uint64_t)(now_s + life_s)),
	};
	unsigned char bytes[ALL_BYTES] = {(unsigned char)kind};

	memcpy(bytes + 1, numbers, sizeof(numbers));
	random_bytes(bytes + 1 + sizeof(numbers), PASS_NONCE);
	crypto_auth(bytes + SIGNED_BYTES, bytes, SIGNED_BYTES, key_bytes(key));
	sodium_bin2base64(out, PASS_ROOM, bytes, sizeof(bytes), VARIANT);
}

bool pass_read(const char *text, size_t length, enum pass_kind kind, int64_t now_s,
	       const struct secret *key, struct pass *out)
{
	unsigned char bytes[ALL_BYTES];
	uint64_t numbers[NUMBERS];
	struct pass pass;
	size_t got = 0;

	if (length != PASS_ROOM - 1 ||
	    sodium_base642bin(bytes, sizeof(bytes), text, length, NULL, &got, NULL, VARIANT) != 0 ||
	    got != sizeof(bytes) ||
	    crypto_auth_verify(bytes + SIGNED_BYTES, bytes, SIGNED_BYTES, key_bytes(key)) != 0)
		return false;
	memcpy(numbers, bytes + 1, sizeof(numbers));
	pass = (struct pass){
		.kind = (enum pass_kind)bytes[0],
		.repo_id = (int64_t)le64toh(numbers[0]),
		.user_id = (int64_t)le64toh(numbers[1]),
		.token_id = (int64_t)le64toh(numbers[2]),
		.expires_s = (int64_t)le64toh(numbers[3]),
	};
	memcpy(pass.nonce, bytes + 1 + sizeof(numbers), PASS_NONCE);
	if (pass.kind != kind || now_s >= pass.expires_s)
		return false;
	*out = pass;
	return true;
}

static int forget_expired(struct store_db *db, int64_t now_s, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "DELETE FROM spent_links WHERE expires_s <= ?");

	store_bind_int(query, now_s);
	return store_step(query, err);
}

int pass_spend(struct store_db *db, const struct pass *link, int64_t now_s, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "INSERT INTO spent_links (nonce, expires_s) VALUES (?, ?)"
				" ON CONFLICT DO NOTHING RETURNING 1");

	if (forget_expired(db, now_s, err) < 0)
		return -1;
	store_bind_blob(query, link->nonce, sizeof(link->nonce));
	store_bind_int(query, link->expires_s);
	return store_step(query, err);
}
