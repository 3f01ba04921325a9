#include "base/secret.h"

#include <sodium.h>
#include <string.h>

#include "base/mem.h"

struct secret {
	size_t length;
	char bytes[]; /* and a NUL */
};

struct secret *secret_new(const void *bytes, size_t length)
{
	struct secret *secret = mem_alloc(sizeof(*secret) + length + 1);

	secret->length = length;
	memcpy(secret->bytes, bytes, length);
	return secret;
}

void secret_free(struct secret *secret)
{
	if (!secret)
		return;
	sodium_memzero(secret, sizeof(*secret) + secret->length + 1);
	free(secret);
}

const char *secret_bytes(const struct secret *secret)
{
	return secret->bytes;
}

size_t secret_length(const struct secret *secret)
{
	return secret->length;
}

bool secret_equals(const struct secret *secret, const void *bytes, size_t length)
{
	return secret->length == length && sodium_memcmp(secret->bytes, bytes, length) == 0;
}
