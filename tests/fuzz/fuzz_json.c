#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"

static size_t measure(const json_t *value, size_t depth)
{
	size_t count = 1;
	const char *key;
	json_t *item;
	size_t i;

	assert(depth <= JSON_DEPTH_MAX + 1); /* a leaf is one below the last level */
	if (json_is_array(value)) {
		json_array_foreach (value, i, item)
			count += measure(item, depth + 1);
	} else if (json_is_object(value)) {
		json_object_foreach ((json_t *)value, key, item)
			count += measure(item, depth + 1);
	}
	return count;
}

/* A body: what is taken keeps to the limits, and means the same after it was written and read. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(json_decref) json_t *value = NULL;
	owned(json_decref) json_t *again = NULL;
	owned(free) char *text = NULL;
	struct err err = ERR_INIT;

	if (json_parse((const char *)bytes, length, &value, &err) < 0) {
		assert(err.kind == ERR_INVALID || err.kind == ERR_TOO_LARGE);
		assert(!value && *err.text);
		return 0;
	}
	assert(measure(value, 1) <= JSON_VALUES_MAX);
	text = json_text(value);
	for (const char *c = text; *c; c++)
		assert((unsigned char)*c >= ' ' && (unsigned char)*c < 0x80);
	assert(json_parse(text, strlen(text), &again, &err) == 0);
	assert(json_equal(value, again));
	return 0;
}
