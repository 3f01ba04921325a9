#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

struct hash {
	EVP_MD_CTX *digest;
};

/* The calls fail only where libcrypto has no memory or no SHA-256 at all. */
static void demand(int done)
{
	assert(done == 1);
}

static EVP_MD *algorithm;

static void fetch(void)
{
	algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	demand(algorithm != NULL);
}

/* Asked for once: each EVP_sha256() looks it up anew, which takes longer than to hash a token. */
static const EVP_MD *sha256(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fetch);
	return algorithm;
}

struct hash *hash_new(void)
{
	struct hash *hash = mem_new(struct hash);

	hash->digest = EVP_MD_CTX_new();
	demand(hash->digest != NULL);
	demand(EVP_DigestInit_ex(hash->digest, sha256(), NULL));
	return hash;
}

void hash_free(struct hash *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->digest);
	free(hash);
}

void hash_add(struct hash *hash, const void *bytes, size_t length)
{
	demand(EVP_DigestUpdate(hash->digest, bytes, length));
}

void hash_add_field(struct hash *hash, const char *text)
{
	uint64_t length = strlen(text);
	unsigned char head[8];

	for (size_t i = 0; i < sizeof(head); i++)
		head[i] = (unsigned char)(length >> (8 * i));
	hash_add(hash, head, sizeof(head));
	hash_add(hash, text, length);
}

void hash_end(struct hash *hash, char hex[static HASH_HEX])
{
	unsigned char digest[HASH_BYTES];

	demand(EVP_DigestFinal_ex(hash->digest, digest, NULL));
	hex_write(digest, sizeof(digest), hex);
}

void hash_hex(const void *bytes, size_t length, char hex[static HASH_HEX])
{
	unsigned char digest[HASH_BYTES];

	demand(EVP_Digest(bytes, length, digest, NULL, sha256(), NULL));
	hex_write(digest, sizeof(digest), hex);
}

void hex_write(const void *bytes, size_t length, char *hex)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = bytes;

	for (size_t i = 0; i < length; i++) {
		*hex++ = digits[from[i] >> 4];
		*hex++ = digits[from[i] & 15];
	}
	*hex = '\0';
}

int hex_is(const char *text, size_t length)
{
	size_t good = strspn(text, "0123456789abcdef");

	return good == length && text[good] == '\0';
}

void random_bytes(void *out, size_t length)
{
	unsigned char *next = out;

	while (length) {
		ssize_t got = getrandom(next, length, 0);

		if (got < 0) {
			assert(errno == EINTR);
			continue;
		}
		next += got;
		length -= (size_t)got;
	}
}

void random_id(char out[static ID_HEX])
{
	unsigned char bytes[(ID_HEX - 1) / 2];

	random_bytes(bytes, sizeof(bytes));
	hex_write(bytes, sizeof(bytes), out);
}
