#include "fuzz.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "api/answer.h"
#include "api/limits.h"
#include "base/mem.h"
#include "http/answer.h"
#include "http/trace.h"

/* A text of a client on its way into headers of the answer: it must not end its line. */

static void check_id(const char *text)
{
	char id[TRACE_ROOM];
	const char *own;

	trace_make(text, id);
	assert(!strncmp(id, "Root=1-", 7) && strlen(id) < sizeof(id));
	own = strchr(id, ';');
	assert((own ? (size_t)(own - id) : strlen(id)) == strlen("Root=1-") + 8 + 1 + 24);
	for (const char *c = id; *c; c++)
		assert(isgraph((unsigned char)*c) && *c != '"');
}

static void check_value(const char *text)
{
	owned(answer_done) struct http_answer answer = ANSWER_INIT;

	http_add_header(&answer, "X-Name", text);
	http_add_headerf(&answer, "X-Other", "a %s", text);
	assert(answer.header_count == 2);
	assert(strlen(answer.headers[0].value) == strlen(text));
	for (size_t i = 0; i < answer.header_count; i++)
		for (const char *c = answer.headers[i].value; *c; c++)
			assert(!iscntrl((unsigned char)*c));
}

static void check_line(const char *text)
{
	owned(free) char *line = answer_line(text);

	assert(strlen(line) <= LIMITS_MESSAGE);
	for (const char *c = line; *c; c++)
		assert(*c >= ' ' && *c <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(free) char *text = mem_text_n((const char *)bytes, length);

	check_id(text);
	check_value(text);
	check_line(text);
	return 0;
}
