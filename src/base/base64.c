#include "base/base64.h"

#include <assert.h>

/* Values of the alphabet plus 1; 0 for what does not belong to it (RFC 4648, table 1). */
static const unsigned char values[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
	['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
	['/'] = 64,
};

static unsigned char *put_group(unsigned char *out, uint32_t bits, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*out++ = (unsigned char)(bits >> (16 - 8 * i));
	return out;
}

/* Whole groups without padding, the bulk of every file. Returns how many characters it took. */
static size_t read_groups(const char *text, size_t length, unsigned char **out)
{
	size_t done = 0;

	for (; length - done >= 4; done += 4) {
		const unsigned char *c = (const unsigned char *)text + done;
		unsigned a = values[c[0]], b = values[c[1]], d = values[c[2]], e = values[c[3]];

		if (!a || !b || !d || !e)
			break;
		*out = put_group(*out, (a - 1) << 18 | (b - 1) << 12 | (d - 1) << 6 | (e - 1), 3);
	}
	return done;
}

static bool is_complete(const struct base64_reader *reader)
{
	return (reader->count + reader->padding) % 4 == 0;
}

/* One character more for the current group; false where it can't stand there. */
static bool read_char(struct base64_reader *reader, unsigned char c)
{
	if (reader->padding && is_complete(reader))
		return false; /* nothing follows the padding */
	if (c == '=') {
		reader->padding++;
		reader->bits <<= 6;
		return reader->count >= 2;
	}
	if (!values[c] || reader->padding)
		return false;
	reader->bits = reader->bits << 6 | (values[c] - 1U);
	reader->count++;
	return true;
}

/*
 * The bits under the padding must be zero (RFC 4648, section 3.5): so no two texts mean the same
 * bytes.
 */
static bool end_group(struct base64_reader *reader, unsigned char **out)
{
	unsigned bytes = 3 - reader->padding;

	assert(reader->padding <= 2);
	if (reader->bits & ((1U << (8 * reader->padding)) - 1))
		return false;
	*out = put_group(*out, reader->bits, bytes);
	reader->bits = 0;
	if (!reader->padding)
		reader->count = 0;
	return true;
}

int base64_read(struct base64_reader *reader, const char *text, size_t length, void *out,
		size_t *out_length, struct err *err)
{
	unsigned char *next = out;
	size_t i = 0;

	while (i < length) {
		if (!reader->count && !reader->padding) {
			i += read_groups(text + i, length - i, &next);
			if (i == length)
				break;
		}
		if (!read_char(reader, (unsigned char)text[i++]) ||
		    (is_complete(reader) && !end_group(reader, &next)))
			return err_set(err, ERR_INVALID, "content is not base64");
	}
	*out_length = (size_t)(next - (unsigned char *)out);
	return 0;
}

int base64_end(const struct base64_reader *reader, struct err *err)
{
	if (is_complete(reader))
		return 0;
	return err_set(err, ERR_INVALID, "content is base64 that ends too early");
}
