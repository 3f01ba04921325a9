#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "http/router.h"
#include "http/utf8.h"

static const struct http_route routes[] = {
	{.method = HTTP_GET, .pattern = "/"},
	{.method = HTTP_GET, .pattern = "/api/spaces/{id}/tree/{rev}/{path}"},
	{.method = HTTP_GET, .pattern = "/api/spaces/{id}/revision/{rev}"},
	{.method = HTTP_GET, .pattern = "/api/spaces/{id}.git/info"},
	{.method = HTTP_GET, .pattern = "/api/spaces/{name}"},
	{.method = HTTP_GET, .pattern = "/{id}/resolve/{rev}/{path}"},
};

static void check_match(const struct router_match *match)
{
	assert(match->count <= ROUTER_PARAM_MAX);
	for (size_t i = 0; i < match->count; i++) {
		const char *value = match->params[i].value;

		assert(utf8_is_valid(value, strlen(value)));
		assert(*value || !strcmp(match->params[i].name, "path"));
		if (!strcmp(match->params[i].name, "id"))
			assert(strchr(value, '/') && strchr(value, '/') == strrchr(value, '/'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(router_free) struct router *router =
		router_new(routes, sizeof(routes) / sizeof(*routes));
	owned(free) char *path = mem_text_n((const char *)bytes, length);
	owned(router_match_done) struct router_match match = ROUTER_MATCH_INIT;
	struct err err = ERR_INIT;

	if (router_find(router, HTTP_GET, path, &match, &err) < 0)
		assert(err.kind == ERR_NO_ROUTE || err.kind == ERR_INVALID);
	else
		check_match(&match);
	return 0;
}
