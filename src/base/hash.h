#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/own.h"

/* SHA-256 (FIPS 180-4) and hexadecimal text. Hex is lower case and ends in a NUL. */
enum { HASH_BYTES = 32, HASH_HEX = 65 };

struct hash; /* a running digest */

struct hash *hash_new(void);
void hash_free(struct hash *hash);
DEFINE_OWNED(struct hash *, hash_free);
void hash_add(struct hash *hash, const void *bytes, size_t length);
/* A NUL-terminated field with its length before it, so that no two lists of fields look alike. */
void hash_add_field(struct hash *hash, const char *text);
void hash_end(struct hash *hash, char hex[static HASH_HEX]);

void hash_hex(const void *bytes, size_t length, char hex[static HASH_HEX]);

/* `hex` needs 2 * length + 1 bytes. */
void hex_write(const void *bytes, size_t length, char *hex);

/* Exactly `length` lower-case hex digits? */
int hex_is(const char *text, size_t length);

/* Fill with random bytes of the kernel; ids are 24 hex digits (Wire: A2 `id`). */
void random_bytes(void *out, size_t length);
enum { ID_HEX = 25 };
void random_id(char out[static ID_HEX]);
