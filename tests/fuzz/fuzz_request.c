#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/request.h"
#include "runner/check.h"

/* What the runner does with a datagram before it acts: whatever the bytes say, it must not fall. */

/* What was taken apart must come out the same when it is put together and taken apart again. */
static void check_round_trip(const struct engine_spec *spec)
{
	owned(str_done) struct str message = request_begin(REQUEST_SUBMIT, 1, 2);
	owned(request_done) struct request request = REQUEST_INIT;
	owned(request_spec_done) struct request_spec again = REQUEST_SPEC_INIT;
	struct err err = ERR_INIT;

	request_add_spec(&message, spec);
	if (str_check(&message, "message", &err) < 0)
		return; /* longer than what we were given: numbers that were left out */
	assert(request_parse(message.data, message.length, &request, &err) == 0);
	assert(request_get_spec(&request, &again, &err) == 0);
	assert(strcmp(again.spec.key, spec->key) == 0);
	assert(again.spec.layer_count == spec->layer_count);
	assert(again.spec.limits.memory_bytes == spec->limits.memory_bytes);
	for (size_t i = 0; spec->argv[i] || again.spec.argv[i]; i++)
		assert(strcmp(spec->argv[i], again.spec.argv[i]) == 0);
	assert((check_spec(spec, &err) == 0) == (check_spec(&again.spec, &err) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(free) void *copy = mem_alloc(length ? length : 1); /* so long, for the sanitizer */
	owned(request_done) struct request request = REQUEST_INIT;
	owned(request_spec_done) struct request_spec spec = REQUEST_SPEC_INIT;
	struct engine_run run;
	struct err err = ERR_INIT;
	const char *key;

	memcpy(copy, bytes, length);
	if (request_parse(copy, length, &request, &err) < 0)
		return 0;
	key = request_text(&request, REQUEST_TAG_KEY);
	if (key && check_key(key, &err) == 0)
		assert(!strchr(key, '/'));
	(void)!request_get_run(&request, &run, &err);
	(void)!request_get_reply(&request, &err);
	if (request_get_spec(&request, &spec, &err) == 0)
		check_round_trip(&spec.spec);
	return 0;
}
