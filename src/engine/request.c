#include "engine/request.h"

#include <endian.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/mem.h"

enum { MAGIC = 0x51525345 /* "ESRQ" */, FIELD_HEADER = 6, NUMBER_BYTES = 8 };

/* What a tag holds; the table is the format's one description in code. */
static const struct {
	bool is_text;
	bool is_list;
} tags[REQUEST_TAG_COUNT] = {
	[REQUEST_TAG_KIND] = {false, false},    [REQUEST_TAG_KEY] = {true, false},
	[REQUEST_TAG_SPACE] = {true, false},    [REQUEST_TAG_LOG] = {true, false},
	[REQUEST_TAG_LAYER] = {true, true},     [REQUEST_TAG_ARGV] = {true, true},
	[REQUEST_TAG_ENV] = {true, true},       [REQUEST_TAG_CWD] = {true, false},
	[REQUEST_TAG_PORT] = {false, false},    [REQUEST_TAG_CPU] = {false, false},
	[REQUEST_TAG_MEMORY] = {false, false},  [REQUEST_TAG_PIDS] = {false, false},
	[REQUEST_TAG_DISK] = {false, false},    [REQUEST_TAG_RESULT] = {true, false},
	[REQUEST_TAG_CACHE] = {true, false},    [REQUEST_TAG_GRACE] = {false, false},
	[REQUEST_TAG_STATE] = {false, false},   [REQUEST_TAG_ADDRESS] = {false, false},
	[REQUEST_TAG_STATUS] = {false, false},  [REQUEST_TAG_OOM] = {false, false},
	[REQUEST_TAG_STARTED] = {false, false}, [REQUEST_TAG_ENDED] = {false, false},
	[REQUEST_TAG_REASON] = {true, false},   [REQUEST_TAG_ERROR] = {false, false},
	[REQUEST_TAG_TEXT] = {true, false},     [REQUEST_TAG_DEVICE] = {true, true},
};

static void add_16(struct str *message, uint16_t value)
{
	value = htole16(value);
	str_add_n(message, &value, sizeof(value));
}

static void add_32(struct str *message, uint32_t value)
{
	value = htole32(value);
	str_add_n(message, &value, sizeof(value));
}

static void add_64(struct str *message, uint64_t value)
{
	value = htole64(value);
	str_add_n(message, &value, sizeof(value));
}

struct str request_begin(enum request_kind kind, uint64_t id, uint64_t session)
{
	struct str message = str_new_wiping(REQUEST_MAX); /* an app's environment is in some */

	add_32(&message, MAGIC);
	add_16(&message, REQUEST_VERSION);
	add_16(&message, (uint16_t)kind);
	add_64(&message, id);
	add_64(&message, session);
	return message;
}

void request_add_text(struct str *message, enum request_tag tag, const char *text)
{
	size_t length;

	if (!text)
		return;
	length = strlen(text) + 1;
	add_16(message, (uint16_t)tag);
	add_32(message, (uint32_t)length);
	str_add_n(message, text, length);
}

void request_add_number(struct str *message, enum request_tag tag, uint64_t number)
{
	add_16(message, (uint16_t)tag);
	add_32(message, NUMBER_BYTES);
	add_64(message, number);
}

void request_add_spec(struct str *message, const struct engine_spec *spec)
{
	request_add_number(message, REQUEST_TAG_KIND, spec->kind);
	request_add_text(message, REQUEST_TAG_KEY, spec->key);
	request_add_text(message, REQUEST_TAG_SPACE, spec->space);
	request_add_text(message, REQUEST_TAG_LOG, spec->log);
	for (size_t i = 0; i < spec->layer_count; i++)
		request_add_text(message, REQUEST_TAG_LAYER, spec->layers[i]);
	for (size_t i = 0; spec->argv && spec->argv[i]; i++)
		request_add_text(message, REQUEST_TAG_ARGV, spec->argv[i]);
	for (size_t i = 0; spec->env && spec->env[i]; i++)
		request_add_text(message, REQUEST_TAG_ENV, spec->env[i]);
	request_add_number(message, REQUEST_TAG_SECRETS, spec->secrets_from);
	for (size_t i = 0; i < spec->device_count; i++)
		request_add_text(message, REQUEST_TAG_DEVICE, spec->devices[i]);
	request_add_text(message, REQUEST_TAG_CWD, spec->cwd);
	request_add_number(message, REQUEST_TAG_PORT, spec->port);
	request_add_number(message, REQUEST_TAG_CLOSED, spec->closed);
	request_add_number(message, REQUEST_TAG_CPU, spec->limits.cpu_milli);
	request_add_number(message, REQUEST_TAG_MEMORY, spec->limits.memory_bytes);
	request_add_number(message, REQUEST_TAG_PIDS, spec->limits.pids);
	request_add_number(message, REQUEST_TAG_DISK, spec->limits.disk_bytes);
	request_add_number(message, REQUEST_TAG_DATA, spec->data_bytes);
	request_add_text(message, REQUEST_TAG_RESULT, spec->result);
	request_add_text(message, REQUEST_TAG_CACHE, spec->cache);
}

void request_add_run(struct str *message, const struct engine_run *run)
{
	request_add_number(message, REQUEST_TAG_KIND, run->kind);
	request_add_number(message, REQUEST_TAG_STATE, run->state);
	request_add_text(message, REQUEST_TAG_KEY, run->key);
	request_add_text(message, REQUEST_TAG_SPACE, run->space);
	request_add_number(message, REQUEST_TAG_ADDRESS, run->address);
	request_add_number(message, REQUEST_TAG_PORT, run->port);
	request_add_number(message, REQUEST_TAG_STATUS, (uint64_t)(int64_t)run->exit_status);
	request_add_number(message, REQUEST_TAG_OOM, run->oom);
	request_add_number(message, REQUEST_TAG_PAGED, run->paged);
	request_add_number(message, REQUEST_TAG_STARTED, (uint64_t)run->started_ms);
	request_add_number(message, REQUEST_TAG_ENDED, (uint64_t)run->ended_ms);
	request_add_text(message, REQUEST_TAG_REASON, run->reason);
}

void request_add_metrics(struct str *message, const struct engine_metrics *metrics)
{
	request_add_text(message, REQUEST_TAG_KEY, metrics->key);
	request_add_number(message, REQUEST_TAG_AT, (uint64_t)metrics->at_ms);
	request_add_number(message, REQUEST_TAG_CPU_USED, metrics->cpu_ns);
	request_add_number(message, REQUEST_TAG_CPU, metrics->cpu_milli);
	request_add_number(message, REQUEST_TAG_MEMORY_USED, metrics->memory_bytes);
	request_add_number(message, REQUEST_TAG_MEMORY, metrics->memory_limit);
	request_add_number(message, REQUEST_TAG_RECEIVED, metrics->received_bytes);
	request_add_number(message, REQUEST_TAG_SENT, metrics->sent_bytes);
}

static uint16_t get_16(const uint8_t *bytes)
{
	uint16_t value;

	memcpy(&value, bytes, sizeof(value));
	return le16toh(value);
}

static uint32_t get_32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static uint64_t get_64(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return le64toh(value);
}

static int parse_field(const uint8_t *bytes, size_t length, struct request_field *out,
		       struct err *err)
{
	if (!tags[out->tag].is_text) {
		if (length != NUMBER_BYTES)
			return err_set(err, ERR_INVALID, "field %u is no number", out->tag);
		out->number = get_64(bytes);
		return 0;
	}
	if (length == 0 || memchr(bytes, 0, length) != bytes + length - 1)
		return err_set(err, ERR_INVALID, "field %u is no text", out->tag);
	out->text = (const char *)bytes;
	return 0;
}

static int parse_fields(const uint8_t *bytes, size_t length, struct request *request,
			struct err *err)
{
	bool seen[REQUEST_TAG_COUNT] = {false};

	while (length > 0) {
		struct request_field *field = &request->fields[request->field_count];
		uint32_t size;

		if (request->field_count == REQUEST_FIELDS_MAX)
			return err_set(err, ERR_INVALID, "message has too many fields");
		if (length < FIELD_HEADER)
			return err_set(err, ERR_INVALID, "message is cut inside of a field");
		field->tag = get_16(bytes);
		size = get_32(bytes + 2);
		bytes += FIELD_HEADER;
		length -= FIELD_HEADER;
		if (field->tag == 0 || field->tag >= REQUEST_TAG_COUNT)
			return err_set(err, ERR_INVALID, "field %u is unknown", field->tag);
		if (size > length)
			return err_set(err, ERR_INVALID, "field %u is cut", field->tag);
		if (seen[field->tag] && !tags[field->tag].is_list)
			return err_set(err, ERR_INVALID, "field %u stands twice", field->tag);
		seen[field->tag] = true;
		if (parse_field(bytes, size, field, err) < 0)
			return -1;
		request->field_count++;
		bytes += size;
		length -= size;
	}
	return 0;
}

int request_parse(const void *bytes, size_t length, struct request *out, struct err *err)
{
	owned(request_done) struct request request = REQUEST_INIT;
	const uint8_t *at = bytes;

	if (length < REQUEST_HEADER || length > REQUEST_MAX || get_32(at) != MAGIC)
		return err_set(err, ERR_INVALID, "not a message");
	if (get_16(at + 4) != REQUEST_VERSION)
		return err_set(err, ERR_INVALID, "message of version %u", get_16(at + 4));
	request.kind = get_16(at + 6);
	request.id = get_64(at + 8);
	request.session = get_64(at + 16);
	request.fields = mem_array(REQUEST_FIELDS_MAX, sizeof(*request.fields));
	if (parse_fields(at + REQUEST_HEADER, length - REQUEST_HEADER, &request, err) < 0)
		return -1;
	*out = request;
	request.fields = NULL;
	return 0;
}

void request_done(struct request *request)
{
	free(request->fields);
	request->fields = NULL;
	request->field_count = 0;
}

static const struct request_field *find(const struct request *request, enum request_tag tag)
{
	for (size_t i = 0; i < request->field_count; i++)
		if (request->fields[i].tag == tag)
			return &request->fields[i];
	return NULL;
}

const char *request_text(const struct request *request, enum request_tag tag)
{
	const struct request_field *field = find(request, tag);

	return field ? field->text : NULL;
}

uint64_t request_number(const struct request *request, enum request_tag tag, uint64_t fallback)
{
	const struct request_field *field = find(request, tag);

	return field ? field->number : fallback;
}

/* Copy a text that must be there into a fixed array. */
static int copy_text(const struct request *request, enum request_tag tag, char *out, size_t room,
		     struct err *err)
{
	const char *text = request_text(request, tag);

	if (!text || strlen(text) >= room)
		return err_set(err, ERR_INVALID, "field %u is missing or too long", tag);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

/* A number that must fit; a missing one is 0. */
static int bounded(const struct request *request, enum request_tag tag, uint64_t max, uint64_t *out,
		   struct err *err)
{
	*out = request_number(request, tag, 0);
	if (*out > max)
		return err_set(err, ERR_INVALID, "field %u is out of range", tag);
	return 0;
}

/* Write the texts of a list tag to `out`; returns how many, or `max` + 1 if there are more. */
static size_t collect(const struct request *request, enum request_tag tag, const char **out,
		      size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < request->field_count; i++) {
		if (request->fields[i].tag != tag)
			continue;
		if (count == max)
			return max + 1;
		out[count++] = request->fields[i].text;
	}
	return count;
}

static int get_lists(const struct request *request, struct request_spec *out, struct err *err)
{
	struct engine_spec *spec = &out->spec;
	const char **env;

	out->lists = mem_array(REQUEST_ARGV_MAX + REQUEST_ENV_MAX + 2, sizeof(*out->lists));
	env = out->lists + REQUEST_ARGV_MAX + 1;
	spec->layer_count = collect(request, REQUEST_TAG_LAYER, spec->layers, ENGINE_LAYERS_MAX);
	if (spec->layer_count > ENGINE_LAYERS_MAX)
		return err_set(err, ERR_INVALID, "too many layers");
	spec->device_count =
		collect(request, REQUEST_TAG_DEVICE, spec->devices, ENGINE_DEVICES_MAX);
	if (spec->device_count > ENGINE_DEVICES_MAX)
		return err_set(err, ERR_INVALID, "too many devices");
	if (collect(request, REQUEST_TAG_ARGV, out->lists, REQUEST_ARGV_MAX) > REQUEST_ARGV_MAX)
		return err_set(err, ERR_INVALID, "too many arguments");
	if (collect(request, REQUEST_TAG_ENV, env, REQUEST_ENV_MAX) > REQUEST_ENV_MAX)
		return err_set(err, ERR_INVALID, "too many environment variables");
	spec->argv = out->lists;
	spec->env = env;
	return 0;
}

static int get_limits(const struct request *request, struct engine_limits *out, struct err *err)
{
	uint64_t cpu;
	uint64_t pids;

	if (bounded(request, REQUEST_TAG_CPU, UINT32_MAX, &cpu, err) < 0 ||
	    bounded(request, REQUEST_TAG_PIDS, UINT32_MAX, &pids, err) < 0 ||
	    bounded(request, REQUEST_TAG_MEMORY, INT64_MAX, &out->memory_bytes, err) < 0 ||
	    bounded(request, REQUEST_TAG_DISK, INT64_MAX, &out->disk_bytes, err) < 0)
		return -1;
	out->cpu_milli = (uint32_t)cpu;
	out->pids = (uint32_t)pids;
	return 0;
}

int request_get_spec(const struct request *request, struct request_spec *out, struct err *err)
{
	owned(request_spec_done) struct request_spec got = REQUEST_SPEC_INIT;
	struct engine_spec *spec = &got.spec;
	uint64_t kind;
	uint64_t port;
	uint64_t closed;
	uint64_t secrets;

	if (bounded(request, REQUEST_TAG_KIND, ENGINE_BUILD, &kind, err) < 0 ||
	    bounded(request, REQUEST_TAG_PORT, UINT16_MAX, &port, err) < 0 ||
	    bounded(request, REQUEST_TAG_CLOSED, 1, &closed, err) < 0 ||
	    bounded(request, REQUEST_TAG_SECRETS, REQUEST_ENV_MAX, &secrets, err) < 0 ||
	    bounded(request, REQUEST_TAG_DATA, INT64_MAX, &spec->data_bytes, err) < 0 ||
	    copy_text(request, REQUEST_TAG_KEY, spec->key, sizeof(spec->key), err) < 0 ||
	    copy_text(request, REQUEST_TAG_SPACE, spec->space, sizeof(spec->space), err) < 0 ||
	    get_limits(request, &spec->limits, err) < 0 || get_lists(request, &got, err) < 0)
		return -1;
	spec->kind = (enum engine_kind)kind;
	spec->port = (uint16_t)port;
	spec->closed = closed == 1;
	spec->secrets_from = (size_t)secrets;
	spec->log = request_text(request, REQUEST_TAG_LOG);
	spec->cwd = request_text(request, REQUEST_TAG_CWD);
	spec->result = request_text(request, REQUEST_TAG_RESULT);
	spec->cache = request_text(request, REQUEST_TAG_CACHE);
	*out = got;
	got.lists = NULL;
	return 0;
}

void request_spec_done(struct request_spec *spec)
{
	free(spec->lists);
	spec->lists = NULL;
}

int request_get_run(const struct request *request, struct engine_run *out, struct err *err)
{
	struct engine_run run = {0};
	uint64_t kind;
	uint64_t state;
	uint64_t address;
	uint64_t port;

	if (bounded(request, REQUEST_TAG_KIND, ENGINE_BUILD, &kind, err) < 0 ||
	    bounded(request, REQUEST_TAG_STATE, ENGINE_ENDED, &state, err) < 0 ||
	    bounded(request, REQUEST_TAG_ADDRESS, UINT32_MAX, &address, err) < 0 ||
	    bounded(request, REQUEST_TAG_PORT, UINT16_MAX, &port, err) < 0 ||
	    copy_text(request, REQUEST_TAG_KEY, run.key, sizeof(run.key), err) < 0 ||
	    copy_text(request, REQUEST_TAG_SPACE, run.space, sizeof(run.space), err) < 0 ||
	    copy_text(request, REQUEST_TAG_REASON, run.reason, sizeof(run.reason), err) < 0)
		return -1;
	run.kind = (enum engine_kind)kind;
	run.state = (enum engine_state)state;
	run.address = (uint32_t)address;
	run.port = (uint16_t)port;
	run.exit_status = (int)(int64_t)request_number(request, REQUEST_TAG_STATUS, 0);
	run.oom = request_number(request, REQUEST_TAG_OOM, 0) != 0;
	run.paged = request_number(request, REQUEST_TAG_PAGED, 0) != 0;
	run.started_ms = (int64_t)request_number(request, REQUEST_TAG_STARTED, 0);
	run.ended_ms = (int64_t)request_number(request, REQUEST_TAG_ENDED, 0);
	*out = run;
	return 0;
}

/* Sums become numbers of JSON, which are signed. */
int request_get_metrics(const struct request *request, struct engine_metrics *out, struct err *err)
{
	struct engine_metrics got = {0};
	uint64_t at_ms;

	if (copy_text(request, REQUEST_TAG_KEY, got.key, sizeof(got.key), err) < 0 ||
	    bounded(request, REQUEST_TAG_AT, INT64_MAX, &at_ms, err) < 0 ||
	    bounded(request, REQUEST_TAG_CPU_USED, INT64_MAX, &got.cpu_ns, err) < 0 ||
	    bounded(request, REQUEST_TAG_CPU, UINT32_MAX, &got.cpu_milli, err) < 0 ||
	    bounded(request, REQUEST_TAG_MEMORY_USED, INT64_MAX, &got.memory_bytes, err) < 0 ||
	    bounded(request, REQUEST_TAG_MEMORY, INT64_MAX, &got.memory_limit, err) < 0 ||
	    bounded(request, REQUEST_TAG_RECEIVED, INT64_MAX, &got.received_bytes, err) < 0 ||
	    bounded(request, REQUEST_TAG_SENT, INT64_MAX, &got.sent_bytes, err) < 0)
		return -1;
	got.at_ms = (int64_t)at_ms;
	*out = got;
	return 0;
}

int request_get_reply(const struct request *request, struct err *err)
{
	uint64_t kind = request_number(request, REQUEST_TAG_ERROR, ERR_SYSTEM);
	const char *text = request_text(request, REQUEST_TAG_TEXT);

	if (kind == ERR_NONE)
		return 0;
	if (kind >= ERR_KIND_COUNT)
		kind = ERR_SYSTEM;
	return err_set(err, (enum err_kind)kind, "%s", text ? text : "the runner failed");
}
