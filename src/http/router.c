#include "http/router.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/utf8.h"

/* In the order in which rows win over each other, segment by segment. */
enum segment_kind {
	SEGMENT_LITERAL,
	SEGMENT_NAME,
	SEGMENT_ID,
	SEGMENT_REV,
	SEGMENT_PATH,
};

enum { SEGMENT_MAX = 16 };

struct segment {
	enum segment_kind kind;
	char *text;         /* the literal, or the parameter's name */
	const char *suffix; /* literal behind a parameter, inside of `text` */
	size_t text_length;
	size_t suffix_length;
};

struct pattern {
	const struct http_route *route;
	size_t count;
	struct segment segments[SEGMENT_MAX];
};

struct router {
	size_t count;
	struct pattern *patterns; /* the ones that win first */
};

/* Raw pieces of the path, one for each parameter of the pattern. */
struct capture {
	const char *start;
	const char *end;
};

static enum segment_kind kind_of(const char *name)
{
	if (!strcmp(name, "id"))
		return SEGMENT_ID;
	if (!strcmp(name, "rev"))
		return SEGMENT_REV;
	if (!strcmp(name, "path"))
		return SEGMENT_PATH;
	return SEGMENT_NAME;
}

static struct segment compile_segment(const char *start, size_t length)
{
	struct segment segment = {.text = mem_text_n(start, length), .text_length = length};
	char *close;

	segment.suffix = segment.text + length;
	if (*start != '{')
		return segment;
	close = strchr(segment.text, '}');
	assert(close && close > segment.text + 1);
	*close = '\0';
	segment.suffix = close + 1;
	segment.suffix_length = strlen(segment.suffix);
	memmove(segment.text, segment.text + 1, (size_t)(close - segment.text));
	segment.text_length = strlen(segment.text);
	segment.kind = kind_of(segment.text);
	return segment;
}

static void compile(const struct http_route *route, struct pattern *pattern)
{
	const char *at = route->pattern;
	size_t params = 0;

	pattern->route = route;
	assert(*at == '/');
	while (at[0] == '/' && at[1]) {
		size_t length = strcspn(++at, "/");

		assert(length > 0 && pattern->count < SEGMENT_MAX);
		assert(pattern->count == 0 ||
		       pattern->segments[pattern->count - 1].kind != SEGMENT_PATH);
		pattern->segments[pattern->count] = compile_segment(at, length);
		params += pattern->segments[pattern->count++].kind != SEGMENT_LITERAL;
		at += length;
	}
	assert(params <= ROUTER_PARAM_MAX);
}

static int compare_segments(const struct segment *a, const struct segment *b)
{
	if (a->kind != b->kind)
		return (int)a->kind - (int)b->kind;
	/* "{id}.git" wins over "{id}" */
	return (a->suffix_length == 0) - (b->suffix_length == 0);
}

static int compare_patterns(const void *left, const void *right)
{
	const struct pattern *a = left, *b = right;
	int order;

	for (size_t i = 0; i < a->count && i < b->count; i++)
		if ((order = compare_segments(&a->segments[i], &b->segments[i])) != 0)
			return order;
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	/* A row for HEAD wins over one for GET, which serves HEAD too. */
	return (b->route->method == HTTP_HEAD) - (a->route->method == HTTP_HEAD);
}

struct router *router_new(const struct http_route *routes, size_t count)
{
	struct router *router = mem_new(struct router);

	router->count = count;
	router->patterns = mem_array(count + 1, sizeof(*router->patterns));
	for (size_t i = 0; i < count; i++)
		compile(&routes[i], &router->patterns[i]);
	qsort(router->patterns, count, sizeof(*router->patterns), compare_patterns);
	return router;
}

void router_free(struct router *router)
{
	if (!router)
		return;
	for (size_t i = 0; i < router->count; i++)
		for (size_t j = 0; j < router->patterns[i].count; j++)
			free(router->patterns[i].segments[j].text);
	free(router->patterns);
	free(router);
}

static const char *segment_end(const char *start)
{
	return start + strcspn(start, "/");
}

static bool capture_until(const struct segment *segment, const char *start, const char *last,
			  const char *end, struct capture *out)
{
	size_t length = (size_t)(end - last);

	if (length <= segment->suffix_length ||
	    memcmp(end - segment->suffix_length, segment->suffix, segment->suffix_length) != 0)
		return false;
	*out = (struct capture){.start = start, .end = end - segment->suffix_length};
	return true;
}

/* `at` is the slash in front of the segment, or the end of the path. */
static bool match_from(const struct pattern *pattern, size_t index, const char *at,
		       struct capture *capture)
{
	const struct segment *segment = &pattern->segments[index];
	const char *start, *last, *end;

	if (index == pattern->count)
		return !*at || (index == 0 && !strcmp(at, "/"));
	start = *at == '/' ? at + 1 : at;
	if (segment->kind == SEGMENT_PATH) {
		*capture = (struct capture){.start = start, .end = start + strlen(start)};
		return true;
	}
	if (*at != '/')
		return false;
	last = start;
	end = segment_end(start);
	switch (segment->kind) {
	case SEGMENT_LITERAL:
		return (size_t)(end - start) == segment->text_length &&
		       !memcmp(start, segment->text, segment->text_length) &&
		       match_from(pattern, index + 1, end, capture);
	case SEGMENT_ID:
		if (end == start || *end != '/')
			return false;
		last = end + 1;
		end = segment_end(last);
		break;
	case SEGMENT_REV:
		if (index + 1 == pattern->count)
			end = start + strlen(start);
		break;
	case SEGMENT_NAME:
	case SEGMENT_PATH:
		break;
	}
	return capture_until(segment, start, last, end, capture) &&
	       match_from(pattern, index + 1, end, capture + 1);
}

static bool serves(const struct http_route *route, enum http_method method)
{
	return route->method == method || (route->method == HTTP_GET && method == HTTP_HEAD);
}

static int decode_param(const struct segment *segment, const struct capture *capture, char **out,
			struct err *err)
{
	owned(free) char *value =
		mem_text_n(capture->start, (size_t)(capture->end - capture->start));

	if (!http_decode(value, false) || !utf8_is_valid(value, strlen(value)))
		return err_set(err, ERR_INVALID, "the address is not properly encoded");
	/* Names are never encoded; a slash that hides in one must not move the border between them.
	 */
	if (segment->kind == SEGMENT_ID && strchr(value, '/') != strrchr(value, '/'))
		return err_set(err, ERR_NO_ROUTE, "nothing is served at this address");
	*out = take(value);
	return 0;
}

static int fill_match(const struct pattern *pattern, const struct capture *captures,
		      struct router_match *out, struct err *err)
{
	owned(router_match_done) struct router_match match = {.route = pattern->route};

	for (size_t i = 0; i < pattern->count; i++) {
		const struct segment *segment = &pattern->segments[i];
		struct router_param *param = &match.params[match.count];

		if (segment->kind == SEGMENT_LITERAL)
			continue;
		param->name = segment->text;
		if (decode_param(segment, &captures[match.count], &param->value, err) < 0)
			return -1;
		match.count++;
	}
	*out = match;
	match = ROUTER_MATCH_INIT;
	return 0;
}

int router_find(const struct router *router, enum http_method method, const char *path,
		struct router_match *out, struct err *err)
{
	struct capture captures[ROUTER_PARAM_MAX + 1] = {0};

	for (size_t i = 0; *path == '/' && i < router->count; i++)
		if (serves(router->patterns[i].route, method) &&
		    match_from(&router->patterns[i], 0, path, captures))
			return fill_match(&router->patterns[i], captures, out, err);
	return err_set(err, ERR_NO_ROUTE, "nothing is served at this address");
}

void router_match_done(struct router_match *match)
{
	for (size_t i = 0; i < match->count; i++)
		free(match->params[i].value);
	*match = ROUTER_MATCH_INIT;
}
