#include "front/enter.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "front/cookie.h"

static const char name[] = "__sign";

static bool is_sign(const char *parameter, size_t length)
{
	size_t size = strlen(name);

	return length >= size && strncmp(parameter, name, size) == 0 &&
	       (length == size || parameter[size] == '=');
}

const char *enter_sign(const char *uri, size_t *length)
{
	const char *at = strchr(uri, '?');

	while (at) {
		size_t size = strcspn(++at, "&");

		if (is_sign(at, size) && size > strlen(name)) {
			*length = size - strlen(name) - 1;
			return at + strlen(name) + 1;
		}
		at = at[size] ? at + size : NULL;
	}
	*length = 0;
	return uri;
}

char *enter_clean(const char *uri)
{
	char *out = mem_text(uri);
	char *query = strchr(out, '?');
	const char *at = strchr(uri, '?');
	char *end = query;

	while (at) {
		size_t size = strcspn(++at, "&");

		if (!is_sign(at, size)) {
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
