#include "fuzz.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

/* The first byte says how long the pieces are, the rest is the text. */

struct outcome {
	bool good;
	unsigned char *bytes; /* owned */
	size_t length;
};

static struct outcome decode(const char *text, size_t length, size_t piece)
{
	struct base64_reader reader = BASE64_READER_INIT;
	struct outcome outcome = {.bytes = mem_alloc(BASE64_ROOM(length))};
	struct err err = ERR_INIT;

	for (size_t done = 0; done < length;) {
		size_t now = length - done < piece ? length - done : piece;
		owned(free) unsigned char *out = mem_alloc(BASE64_ROOM(now)); /* no byte more */
		size_t made;

		if (base64_read(&reader, text + done, now, out, &made, &err) < 0)
			return outcome;
		memcpy(outcome.bytes + outcome.length, out, made);
		outcome.length += made;
		done += now;
	}
	outcome.good = base64_end(&reader, &err) == 0;
	return outcome;
}

/* What was accepted must be the one text that stands for its bytes. */
static void check_canonical(const struct outcome *outcome, const char *text, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t at = 0;

	assert(length == (outcome->length + 2) / 3 * 4);
	for (size_t i = 0; i < outcome->length; i += 3) {
		size_t left = outcome->length - i;
		uint32_t bits = (uint32_t)outcome->bytes[i] << 16 |
				(left > 1 ? (uint32_t)outcome->bytes[i + 1] << 8 : 0) |
				(left > 2 ? outcome->bytes[i + 2] : 0);

		assert(text[at++] == digits[bits >> 18]);
		assert(text[at++] == digits[bits >> 12 & 63]);
		assert(text[at++] == (left > 1 ? digits[bits >> 6 & 63] : '='));
		assert(text[at++] == (left > 2 ? digits[bits & 63] : '='));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	if (length < 1)
		return 0;

	const char *text = (const char *)bytes + 1;
	struct outcome whole = decode(text, length - 1, length);
	struct outcome pieces = decode(text, length - 1, bytes[0] % 16 + 1);

	assert(whole.good == pieces.good);
	if (whole.good) {
		assert(whole.length == pieces.length);
		assert(memcmp(whole.bytes, pieces.bytes, whole.length) == 0);
		check_canonical(&whole, text, length - 1);
	}
	free(whole.bytes);
	free(pieces.bytes);
	return 0;
}
