#include "base/when.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "7d": longer than this is a mistake, and no product of it overflows. */
enum { AGO_DIGITS = 6 };

static bool parse_ago(const char *text, int64_t now_ms, int64_t *out)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > AGO_DIGITS || !text[digits] || text[digits + 1])
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].letter == text[digits]) {
			*out = now_ms - strtoll(text, NULL, 10) * units[i].seconds * 1000;
			return true;
		}
	return false;
}

/* ".678" behind the seconds; what is below a millisecond is left out. */
static const char *parse_fraction(const char *text, int64_t *ms)
{
	int64_t unit = 100;

	if (text[0] != '.' || !isdigit((unsigned char)text[1]))
		return text;
	for (text++; isdigit((unsigned char)*text); text++, unit /= 10)
		*ms += (*text - '0') * unit;
	return text;
}

static bool parse_moment(const char *text, int64_t *out)
{
	static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};

	/* strptime() takes fewer digits and blanks as well: nobody means that. */
	if (strlen(text) < sizeof("2026-01-02") - 1 || text[4] != '-' || strchr(text, ' '))
		return false;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = {0};
		int64_t ms = 0;
		const char *rest = strptime(text, formats[i], &tm);

		if (rest && i == 0)
			rest = parse_fraction(rest, &ms);
		if (!rest || (*rest && strcmp(rest, "Z") != 0))
			continue;
		*out = (int64_t)timegm(&tm) * 1000 + ms;
		return true;
	}
	return false;
}

int when_parse(const char *text, int64_t now_ms, int64_t *out, struct err *err)
{
	if (parse_ago(text, now_ms, out) || parse_moment(text, out))
		return 0;
	return err_set(err, ERR_INVALID,
		       "\"%.100s\" is no time: write 2026-11-25, 2026-11-25T10:30:00Z or 7d", text);
}
