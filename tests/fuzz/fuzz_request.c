#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "engine/request.h"
#include "runner/bundle.h"
#include "runner/check.h"
#include "runner/record.h"
#include "runner/slots.h"

/*
 * What the runner does with a datagram before it acts: whatever the bytes say, it must not fall,
 * and what it accepts must not lead out of where runs have their things.
 */

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
	assert(again.spec.data_bytes == spec->data_bytes);
	assert(again.spec.limits.memory_bytes == spec->limits.memory_bytes);
	for (size_t i = 0; spec->argv[i] || again.spec.argv[i]; i++)
		assert(strcmp(spec->argv[i], again.spec.argv[i]) == 0);
	assert((check_spec(spec, &err) == 0) == (check_spec(&again.spec, &err) == 0));
}

/* A name of one file: it stays below the folder that it is joined to. */
static void check_name(const char *name)
{
	assert(*name && *name != '.' && strlen(name) < ENGINE_KEY_ROOM);
	assert(name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0');
}

/* What runc would be told, from its fixed parts. */
static void check_config(const struct engine_spec *spec)
{
	static const struct datadir dir = {.path = (char *)"/d", .instance = "abc123"};
	static const struct runner_config config = {.dir = &dir};
	owned(json_decref) json_t *seccomp = json_object();
	owned(json_decref) json_t *json = bundle_config(&config, spec, SLOTS_FIRST, seccomp);
	const json_t *args;
	const json_t *mount;
	size_t i;

	if (!json)
		return; /* no UTF-8: refused by bundle_write() */
	args = json_object_get(json_object_get(json, "process"), "args");
	assert(strcmp(json_string_value(json_array_get(args, 0)), "/run/espace-init") == 0);
	assert(strcmp(json_string_value(json_array_get(args, 1)), "--") == 0);
	json_array_foreach (json_object_get(json, "mounts"), i, mount) {
		const char *source = json_string_value(json_object_get(mount, "source"));

		assert(source[0] != '/' || strncmp(source, "/d/run/bundles/", 15) == 0);
		assert(!strstr(source, ".."));
	}
}

static void check_accepted(const struct engine_spec *spec)
{
	struct record record = record_of(spec, SLOTS_FIRST);

	check_name(spec->key);
	check_name(spec->space);
	check_name(spec->log);
	for (size_t i = 0; i < spec->layer_count; i++)
		check_name(spec->layers[i]);
	if (spec->kind == ENGINE_BUILD) {
		check_name(spec->result);
		check_name(spec->cache);
	}
	assert(strcmp(record.log, spec->log) == 0); /* nothing is cut where it is written down */
	assert(strcmp(record.cache, spec->cache ? spec->cache : "") == 0);
	assert(strcmp(record.result, spec->result ? spec->result : "") == 0);
	assert(spec->argv[0][0] == '/' && spec->cwd[0] == '/');
	assert(spec->limits.memory_bytes > 0 && spec->limits.disk_bytes > 0 &&
	       spec->limits.pids > 0);
	check_config(spec);
}

/* They become numbers of JSON, which are signed. */
static void check_metrics(const struct engine_metrics *metrics)
{
	owned(str_done) struct str message = request_begin(REQUEST_METRICS, 1, 2);
	owned(request_done) struct request request = REQUEST_INIT;
	struct engine_metrics again;
	struct err err = ERR_INIT;

	assert(metrics->at_ms >= 0 && metrics->cpu_ns <= INT64_MAX &&
	       metrics->sent_bytes <= INT64_MAX && metrics->received_bytes <= INT64_MAX);
	request_add_metrics(&message, metrics);
	assert(request_parse(message.data, message.length, &request, &err) == 0);
	assert(request_get_metrics(&request, &again, &err) == 0);
	assert(again.cpu_milli == metrics->cpu_milli && again.cpu_ns == metrics->cpu_ns);
	assert(strcmp(again.key, metrics->key) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(free) void *copy = mem_alloc(length ? length : 1); /* so long, for the sanitizer */
	owned(request_done) struct request request = REQUEST_INIT;
	owned(request_spec_done) struct request_spec spec = REQUEST_SPEC_INIT;
	struct engine_run run;
	struct engine_metrics metrics;
	struct err err = ERR_INIT;
	const char *key;
	const char *space;

	memcpy(copy, bytes, length);
	if (request_parse(copy, length, &request, &err) < 0)
		return 0;
	key = request_text(&request, REQUEST_TAG_KEY);
	if (key && check_key(key, &err) == 0)
		assert(!strchr(key, '/'));
	space = request_text(&request, REQUEST_TAG_SPACE);
	if (space && check_space(space, &err) == 0)
		check_name(space);
	(void)!request_get_run(&request, &run, &err);
	if (request_get_metrics(&request, &metrics, &err) == 0)
		check_metrics(&metrics);
	(void)!request_get_reply(&request, &err);
	if (request_get_spec(&request, &spec, &err) < 0)
		return 0;
	check_round_trip(&spec.spec);
	if (check_spec(&spec.spec, &err) == 0)
		check_accepted(&spec.spec);
	return 0;
}
