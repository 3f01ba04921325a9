#include "base/json.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void wipe_and_free(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

void json_wipe_freed(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
}

/* Where a string that begins at `at` ends: at its second quotation mark, or at the text's end. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		at += *at == '\\' && at + 1 < end;
	return at;
}

/* Count what the parser would make, before it does. What is no JSON is left to it. */
static int check_shape(const char *text, size_t length, struct err *err)
{
	const char *end = text + length;
	size_t values = 1;
	size_t depth = 0;

	for (const char *at = text; at < end; at++) {
		if (*at == '"') {
			at = skip_string(at, end);
		} else if (*at == '[' || *at == '{') {
			depth++;
			values++;
		} else if (*at == ']' || *at == '}') {
			depth -= depth > 0;
		} else if (*at == ',') {
			values++;
		}
		if (depth > JSON_DEPTH_MAX)
			return err_set(err, ERR_INVALID, "the JSON has more than %d levels",
				       JSON_DEPTH_MAX);
		if (values > JSON_VALUES_MAX)
			return err_set(err, ERR_TOO_LARGE, "the JSON has more than %d values",
				       JSON_VALUES_MAX);
	}
	return 0;
}

int json_parse(const char *text, size_t length, json_t **out, struct err *err)
{
	json_error_t problem;
	json_t *value;

	if (check_shape(text, length, err) < 0)
		return -1;
	value = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
	if (!value)
		return err_set(err, ERR_INVALID, "not JSON at line %d, column %d: %s", problem.line,
			       problem.column, problem.text);
	*out = value;
	return 0;
}

char *json_text(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);

	assert(text); /* fails only without memory, or for a value that contains itself */
	return text;
}

/* *out is NULL where the field is missing or null. */
static int find(const json_t *object, const char *key, json_t **out, struct err *err)
{
	if (!json_is_object(object))
		return err_set(err, ERR_INVALID, "\"%s\" is expected in a JSON object", key);

	json_t *value = json_object_get(object, key);

	*out = json_is_null(value) ? NULL : value;
	return 0;
}

static int wrong_type(const char *key, const char *type, struct err *err)
{
	return err_set(err, ERR_INVALID, "\"%s\" must be %s", key, type);
}

int json_get_text(const json_t *object, const char *key, const char **out, struct err *err)
{
	json_t *value = NULL;

	if (find(object, key, &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	if (!json_is_string(value))
		return wrong_type(key, "a string", err);
	*out = json_string_value(value);
	return 0;
}

int json_need_text(const json_t *object, const char *key, const char **out, struct err *err)
{
	const char *text = NULL;

	if (json_get_text(object, key, &text, err) < 0)
		return -1;
	if (!text)
		return err_set(err, ERR_INVALID, "\"%s\" is missing", key);
	*out = text;
	return 0;
}

int json_get_bool(const json_t *object, const char *key, bool *out, struct err *err)
{
	json_t *value = NULL;

	if (find(object, key, &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	if (!json_is_boolean(value))
		return wrong_type(key, "true or false", err);
	*out = json_is_true(value);
	return 0;
}

int json_get_int(const json_t *object, const char *key, int64_t *out, struct err *err)
{
	json_t *value = NULL;

	if (find(object, key, &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	if (!json_is_integer(value))
		return wrong_type(key, "an integer", err);
	*out = json_integer_value(value);
	return 0;
}

int json_get_array(const json_t *object, const char *key, json_t **out, struct err *err)
{
	json_t *value = NULL;

	if (find(object, key, &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	if (!json_is_array(value))
		return wrong_type(key, "a list", err);
	*out = value;
	return 0;
}

int json_get_object(const json_t *object, const char *key, json_t **out, struct err *err)
{
	json_t *value = NULL;

	if (find(object, key, &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	if (!json_is_object(value))
		return wrong_type(key, "an object", err);
	*out = value;
	return 0;
}
