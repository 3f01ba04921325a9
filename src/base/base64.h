#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * Base64 (RFC 4648 section 4) that arrives in pieces: clients send files of many megabytes inside
 * of one JSON string. Padding is demanded, white space is not allowed.
 */
struct base64_reader {
	uint32_t bits;
	unsigned count; /* characters of the current group */
	unsigned padding;
};

#define BASE64_READER_INIT ((struct base64_reader){0})

/* Bytes that `length` characters can become at most. */
#define BASE64_ROOM(length) ((length) / 4 * 3 + 3)

/* Decode a piece into `out`, which has BASE64_ROOM(length). Errors: ERR_INVALID. */
must_check int base64_read(struct base64_reader *reader, const char *text, size_t length, void *out,
			   size_t *out_length, struct err *err);
must_check int base64_end(const struct base64_reader *reader, struct err *err);
