#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "api/page.h"
#include "base/mem.h"
#include "http/answer.h"
#include "http/query.h"
#include "http/request.h"
#include "http/utf8.h"

/*
 * A client's query on its way into the link to the next page: the first line is the cursor, the
 * rest is the query. The link must be well-formed, and read again it must say what the query said
 * but for the cursor.
 */
static const char before[] = "<http://hub.test/api/models?";
static const char behind[] = ">; rel=\"next\"";

static bool is_cursor(const struct query_field *field)
{
	return !strcmp(field->name, "cursor");
}

static void compare(const struct query *old, const struct query *new, const char *cursor)
{
	size_t at = 0;

	for (size_t i = 0; i < old->count; i++) {
		if (is_cursor(&old->fields[i]))
			continue;
		assert(!strcmp(new->fields[at].name, old->fields[i].name));
		assert(!strcmp(new->fields[at++].value, old->fields[i].value));
	}
	assert(at + 1 == new->count);
	assert(is_cursor(&new->fields[at]) && !strcmp(new->fields[at].value, cursor));
}

static void check_link(const char *link, const struct query *old, const char *cursor)
{
	size_t length = strlen(link);
	owned(query_done) struct query query = QUERY_INIT;
	struct err err = ERR_INIT;

	assert(str_starts(link, before) && str_ends(link, behind));
	for (const char *c = link + 1; c < link + length - strlen(behind); c++)
		assert(*c > ' ' && *c <= '~' && !strchr("<>\"", *c));
	assert(query_parse(link + strlen(before), length - strlen(before) - strlen(behind),
			   QUERY_MAX_FIELDS + 1, &query, &err) == 0);
	compare(old, &query, cursor);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(free) char *text = mem_text_n((const char *)bytes, length);
	char *query = strchr(text, '\n');
	struct http_request request = {.path = "/api/models", .origin = "http://hub.test"};
	struct http_answer answer = ANSWER_INIT;
	struct call call = {.request = &request, .answer = &answer};
	struct err err = ERR_INIT;

	if (!query || length > HTTP_TARGET_MAX)
		return 0;
	*query++ = '\0';
	request.query_text = query;
	/* What is malformed was refused before; a cursor of ours is UTF-8. */
	if (query_parse(query, strlen(query), QUERY_MAX_FIELDS, &request.query, &err) < 0)
		return 0;
	if (utf8_is_valid(text, strlen(text))) {
		page_next(&call, NULL, text);
		check_link(answer.headers[0].value, &request.query, text);
	}
	query_done(&request.query);
	answer_done(&answer);
	return 0;
}
