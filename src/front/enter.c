#include "front/enter.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "front/cookie.h"

static const char name[] = "__sign";

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* The character at `*at`, which may be spelled %5F; `*at` moves behind it. */
static char next(const char **at)
{
	const char *from = *at;
	int high = *from == '%' ? hex_value(from[1]) : -1;
	int low = high < 0 ? -1 : hex_value(from[2]);

	*at = from + (low < 0 ? 1 : 3);
	if (low < 0)
		return *from;
	return (char)(high << 4 | low);
}

/* NULL for another parameter; else where its name ends, in whatever spelling. */
static const char *find_sign(const char *parameter, size_t length)
{
	const char *at = parameter;

	for (const char *wanted = name; *wanted; wanted++)
		if (at >= parameter + length || next(&at) != *wanted)
			return NULL;
	return at == parameter + length || *at == '=' ? at : NULL;
}

static char *decode(const char *from, const char *end)
{
	char *text = mem_text_n(from, (size_t)(end - from));
	char *to = text;

	for (const char *at = text; *at;)
		*to++ = next(&at);
	*to = '\0';
	return text;
}

char *enter_sign(const char *uri)
{
	const char *at = strchr(uri, '?');

	while (at) {
		size_t size = strcspn(++at, "&");
		const char *end = find_sign(at, size);

		if (end && *end == '=')
			return decode(end + 1, at + size);
		at = at[size] ? at + size : NULL;
	}
	return NULL;
}

char *enter_clean(const char *uri)
{
	char *out = mem_text(uri);
	char *query = strchr(out, '?');
	const char *at = strchr(uri, '?');
	char *end = query;

	while (at) {
		size_t size = strcspn(++at, "&");

		if (!find_sign(at, size)) {
			*end = end == query ? '?' : '&';
			memcpy(end + 1, at, size);
			end += size + 1;
		}
		at = at[size] ? at + size : NULL;
	}
	if (end)
		*end = '\0';
	return out;
}

static bool is_localhost(const char *origin)
{
	static const char suffix[] = "localhost";
	const char *host = strstr(origin, "://");
	size_t length;

	if (!host)
		return false;
	host += strlen("://");
	length = strcspn(host, ":");
	return length >= strlen(suffix) &&
	       strncmp(host + length - strlen(suffix), suffix, strlen(suffix)) == 0 &&
	       (length == strlen(suffix) || host[length - strlen(suffix) - 1] == '.');
}

char *enter_cookie(const char *origin, const char *value)
{
	bool secure = str_starts(origin, "https://") || is_localhost(origin);

	return mem_format("%s=%s; Path=/; HttpOnly; SameSite=Lax%s",
			  secure ? COOKIE_SECURE : COOKIE_PLAIN, value, secure ? "; Secure" : "");
}
