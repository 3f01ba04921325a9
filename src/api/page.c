#include "api/page.h"

#include <string.h>

#include "api/url.h"
#include "base/mem.h"

int page_limit(const struct call *call, int64_t normal, int64_t max, int64_t *out, struct err *err)
{
	int64_t limit = normal;

	if (http_query_int(call->request, "limit", &limit, err) < 0)
		return -1;
	if (limit < 1)
		return err_set(err, ERR_INVALID, "limit must be positive");
	*out = limit < max ? limit : max;
	return 0;
}

/* What a client wrote, fit for the brackets of a Link header: these three would end it early. */
static void add_raw(struct str *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte <= ' ' || byte > '~' || strchr("<>\"", byte))
			str_addf(out, "%%%02X", byte);
		else
			str_add_n(out, text + i, 1);
	}
}

/* Is this field of a query, in whatever spelling, the cursor of the page that we are on? */
static bool is_cursor(const char *field, size_t length)
{
	owned(free) char *name = mem_text_n(field, length);

	name[strcspn(name, "=")] = '\0';
	return http_decode(name, true) && (!strcmp(name, "cursor") || !strcmp(name, "cursor[]"));
}

void page_next(struct call *call, const char *path, const char *cursor)
{
	const char *query = http_query_text(call->request);
	owned(free) char *encoded = url_encode(cursor, false);
	/* Three bytes for each one of theirs, at worst. */
	owned(str_done) struct str url = str_new((size_t)4 * HTTP_TARGET_MAX);

	path = path ? path : http_path(call->request);
	add_raw(&url, path, strlen(path));
	str_add(&url, "?");
	while (*query) {
		size_t length = strcspn(query, "&");

		if (length > 0 && !is_cursor(query, length)) {
			add_raw(&url, query, length);
			str_add(&url, "&");
		}
		query += length + (query[length] == '&');
	}
	http_add_headerf(call->answer, "Link", "<%s%scursor=%s>; rel=\"next\"",
			 http_origin(call->request), url.data, encoded);
}
