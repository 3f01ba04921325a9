#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "http/http.h"

/* Decimal digits at *at. False: none, or more than 64 bits hold; such a header is malformed. */
static bool read_number(const char **at, uint64_t *out)
{
	const char *start = *at;
	uint64_t value = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++) {
		uint64_t digit = (uint64_t)(**at - '0');

		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	*out = value;
	return *at > start;
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

struct range {
	bool has_first;
	bool has_last;
	uint64_t first;
	uint64_t last; /* without a first: how many bytes from the end */
};

/* RFC 9110 section 14.1.2: one int-range or suffix-range of the unit bytes. */
static bool parse_range(const char *header, struct range *out)
{
	static const char unit[] = "bytes=";
	struct range range = {0};
	const char *at = header;

	if (strncasecmp(at, unit, sizeof(unit) - 1) != 0)
		return false;
	at = skip_blanks(at + sizeof(unit) - 1);
	if (*at != '-') {
		range.has_first = true;
		if (!read_number(&at, &range.first))
			return false;
	}
	if (*at++ != '-')
		return false;
	if (*at >= '0' && *at <= '9') {
		range.has_last = true;
		if (!read_number(&at, &range.last))
			return false;
	}
	if (*skip_blanks(at) || (!range.has_first && !range.has_last) ||
	    (range.has_first && range.has_last && range.last < range.first))
		return false;
	*out = range;
	return true;
}

int http_range(const char *header, uint64_t total, bool *partial, uint64_t *first, uint64_t *length,
	       struct err *err)
{
	struct range range = {0};

	*partial = header && parse_range(header, &range);
	*first = 0;
	*length = total;
	if (!*partial)
		return 0;
	if (!range.has_first) {
		if (range.last == 0 || total == 0)
			return err_set(err, ERR_RANGE, "no byte is in that range");
		*length = range.last < total ? range.last : total;
		*first = total - *length;
		return 0;
	}
	if (range.first >= total)
		return err_set(err, ERR_RANGE, "the range starts behind the last byte");
	*first = range.first;
	*length = total - range.first;
	if (range.has_last && range.last - range.first < *length - 1)
		*length = range.last - range.first + 1;
	return 0;
}
