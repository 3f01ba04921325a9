#include "api/url.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* The name by which Spaces reach the hub and each other from their own network. */
static const char inside_name[] = "hub.espace";

char *url_repo(const struct call *call)
{
	return mem_format("%s/%s%s", http_origin(call->request), repo_type_prefix(call->repo.type),
			  call->repo.full_name);
}

/* ":8080" of a Host, or "". The colons of an IPv6 literal are inside of its brackets. */
static const char *port_of(const char *host)
{
	const char *bracket = strrchr(host, ']');
	const char *colon = strrchr(bracket ? bracket : host, ':');

	return colon ? colon : "";
}

char *url_space_host(const struct call *call, const char *slug)
{
	const char *host = http_host(call->request);
	const char *port = port_of(host);
	size_t length = strlen(host) - strlen(port);
	bool inside = length == strlen(inside_name) && strncasecmp(host, inside_name, length) == 0;

	return mem_format("%s.%s%s", slug, inside ? inside_name : call->config->domain, port);
}

char *url_space(const struct call *call, const char *slug)
{
	owned(free) char *host = url_space_host(call, slug);
	const char *origin = http_origin(call->request);

	return mem_format("%.*s://%s", (int)strcspn(origin, ":"), origin, host);
}

char *url_encode(const char *text, bool keep_slash)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	static const char digits[] = "0123456789ABCDEF";
	char *out = mem_array(strlen(text) + 1, 3);
	char *end = out;

	for (const char *c = text; *c; c++) {
		unsigned char byte = (unsigned char)*c;

		if (strchr(plain, *c) || (keep_slash && *c == '/')) {
			*end++ = *c;
		} else {
			*end++ = '%';
			*end++ = digits[byte >> 4];
			*end++ = digits[byte & 15];
		}
	}
	return out;
}
