#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "http/query.h"
#include "http/utf8.h"

static void check_text(const char *text)
{
	assert(utf8_is_valid(text, strlen(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(query_done) struct query query = QUERY_INIT;
	struct err err = ERR_INIT;

	if (query_parse((const char *)bytes, length, QUERY_MAX_FIELDS, &query, &err) < 0) {
		assert(err.kind == ERR_INVALID || err.kind == ERR_TOO_LARGE);
		assert(query.count == 0);
		return 0;
	}
	assert(query.count <= QUERY_MAX_FIELDS);
	for (size_t i = 0; i < query.count; i++) {
		check_text(query.fields[i].name);
		check_text(query.fields[i].value);
		assert(query_first(&query, query.fields[i].name));
	}
	return 0;
}
