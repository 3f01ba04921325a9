#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/* JSON by jansson, with limits for what comes from outside and errors that name the field. */
DEFINE_OWNED(json_t *, json_decref);

/*
 * What is parsed at all. A parsed value needs forty times the two bytes that may stand for it, and
 * a level of nesting a frame of the parser's stack; no client comes near either number.
 */
enum { JSON_VALUES_MAX = 100000, JSON_DEPTH_MAX = 64 };

/*
 * From now on nothing of a value or its text stays behind in freed memory: secrets come and go as
 * JSON. For the start of a process, before the first value.
 */
void json_wipe_freed(void);

/*
 * Parse a whole text. Duplicate keys, NUL in strings and text behind the value are refused.
 * Errors: ERR_INVALID with line and column, or for the depth; ERR_TOO_LARGE for the values.
 */
must_check int json_parse(const char *text, size_t length, json_t **out, struct err *err);

/* Compact text, everything outside of ASCII escaped (Wire: A12). For free(). */
char *json_text(const json_t *value);

/*
 * Fields of an object. Missing or null: *out is left as it was, so that it can hold the default;
 * `_need` variants fail then. Another type: ERR_INVALID that names the field. Strings are borrowed.
 */
must_check int json_get_text(const json_t *object, const char *key, const char **out,
			     struct err *err);
must_check int json_need_text(const json_t *object, const char *key, const char **out,
			      struct err *err);
must_check int json_get_bool(const json_t *object, const char *key, bool *out, struct err *err);
must_check int json_get_int(const json_t *object, const char *key, int64_t *out, struct err *err);
must_check int json_get_array(const json_t *object, const char *key, json_t **out, struct err *err);
must_check int json_get_object(const json_t *object, const char *key, json_t **out,
			       struct err *err);
