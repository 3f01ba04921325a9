#include "http/utf8.h"

/* Bytes behind the first one of a sequence; -1 where no sequence starts with `lead`. */
static int tail_of(unsigned char lead)
{
	if (lead < 0x80)
		return 0;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 1;
	if (lead >= 0xe0 && lead <= 0xef)
		return 2;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 3;
	return -1;
}

int32_t utf8_next(const char **at, const char *end)
{
	/* The smallest code point that needs so many tail bytes: below it the form is overlong. */
	static const int32_t smallest[] = {0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)*at;
	int tail = tail_of(bytes[0]);
	int32_t code;
	int i;

	*at += 1;
	if (tail < 0 || tail > end - *at)
		return -1;
	code = tail == 0 ? bytes[0] : bytes[0] & (0x3f >> tail);
	for (i = 1; i <= tail; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return -1;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	if (code < smallest[tail] || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)
		return -1;
	*at += tail;
	return code;
}

bool utf8_is_valid(const char *text, size_t length)
{
	const char *end = text + length;

	while (text < end)
		if (utf8_next(&text, end) < 0)
			return false;
	return true;
}
