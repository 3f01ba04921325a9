#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/*
 * Cookie: takes a Cookie header apart: what is the hub's, and the rest, which apps get. Browsers
 * send one cookie of a name; others send what they like, so every one of ours goes, in any case of
 * letters, with a value or without.
 *
 * It includes nothing of nginx, so that tests and a fuzzer can try it. Wire: RFC 6265, 4.2.1.
 */

/* The second is for plain HTTP, where browsers take no cookie that asks for TLS (front/enter.h). */
#define COOKIE_SECURE "__Host-espace"
#define COOKIE_PLAIN  "espace-visit"

struct cookie_pair {
	const char *name;
	size_t name_length;
	const char *value;
	size_t value_length;
	size_t length; /* of the whole, from `name` on */
};

static inline bool cookie_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next pair of [*at, end), without blanks around it; it may be empty. False at the end. */
static inline bool cookie_next(const char **at, const char *end, struct cookie_pair *out)
{
	const char *from = *at;
	const char *to, *equals;

	if (from >= end)
		return false;
	to = memchr(from, ';', (size_t)(end - from));
	*at = to ? to + 1 : end;
	to = to ? to : end;
	while (from < to && cookie_is_blank(*from))
		from++;
	while (to > from && cookie_is_blank(to[-1]))
		to--;
	equals = memchr(from, '=', (size_t)(to - from));
	*out = (struct cookie_pair){
		.name = from,
		.name_length = (size_t)((equals ? equals : to) - from),
		.value = equals ? equals + 1 : to,
		.value_length = equals ? (size_t)(to - equals - 1) : 0,
		.length = (size_t)(to - from),
	};
	while (out->name_length > 0 && cookie_is_blank(from[out->name_length - 1]))
		out->name_length--;
	return true;
}

static inline bool cookie_has_name(const struct cookie_pair *pair, const char *name)
{
	return pair->name_length == strlen(name) &&
	       strncasecmp(pair->name, name, pair->name_length) == 0;
}

static inline bool cookie_is_ours(const struct cookie_pair *pair)
{
	return cookie_has_name(pair, COOKIE_SECURE) || cookie_has_name(pair, COOKIE_PLAIN);
}

static inline size_t cookie_append(char *out, size_t length, const char *separator,
				   const char *text, size_t text_length)
{
	size_t gap = length > 0 ? strlen(separator) : 0;

	memcpy(out + length, separator, gap);
	memcpy(out + length + gap, text, text_length);
	return length + gap + text_length;
}

/*
 * What is left for an app. `out` has room for 2 * length bytes, since "a;b" becomes "a; b". Returns
 * the length.
 */
static inline size_t cookie_rest(const char *header, size_t length, char *out)
{
	const char *at = header;
	struct cookie_pair pair;
	size_t written = 0;

	while (cookie_next(&at, header + length, &pair)) {
		if (pair.length > 0 && !cookie_is_ours(&pair))
			written = cookie_append(out, written, "; ", pair.name, pair.length);
	}
	return written;
}

/* The values of ours, as far as `room` goes, with a blank between them. Returns the length. */
static inline size_t cookie_ours(const char *header, size_t length, char *out, size_t room)
{
	const char *at = header;
	struct cookie_pair pair;
	size_t written = 0;

	while (cookie_next(&at, header + length, &pair)) {
		if (cookie_is_ours(&pair) && pair.value_length > 0 &&
		    pair.value_length + 1 <= room - written)
			written = cookie_append(out, written, " ", pair.value, pair.value_length);
	}
	return written;
}
