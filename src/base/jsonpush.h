#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * JSON (RFC 8259) that arrives in pieces, turned into events as it comes. It holds no string: a
 * string of a hundred megabytes passes through in pieces that point into what was fed, so memory
 * does not depend on the input. base/json.h is for texts that are small and complete.
 *
 * Checked: the grammar, UTF-8, escapes with their surrogate pairs, nesting to JSONPUSH_DEPTH,
 * numbers to JSONPUSH_NUMBER_MAX characters. Not checked: whether a key occurs twice; and "\u0000"
 * is passed on as a NUL byte.
 */
struct jsonpush;

enum { JSONPUSH_DEPTH = 64, JSONPUSH_NUMBER_MAX = 64 };

enum jsonpush_type {
	JSONPUSH_OBJECT,
	JSONPUSH_OBJECT_END,
	JSONPUSH_ARRAY,
	JSONPUSH_ARRAY_END,
	JSONPUSH_KEY,    /* a piece of a key */
	JSONPUSH_STRING, /* a piece of a string */
	JSONPUSH_NUMBER, /* whole, as it was written */
	JSONPUSH_TRUE,
	JSONPUSH_FALSE,
	JSONPUSH_NULL,
};

struct jsonpush_event {
	enum jsonpush_type type;
	/* KEY, STRING, NUMBER: unescaped bytes, valid during the call, not NUL-terminated. A piece
	 * may end inside of a UTF-8 character. */
	const char *bytes;
	size_t length;
	bool last; /* KEY, STRING: the string ends with this piece, which may be empty */
};

/* Returns -1 with *err to stop: jsonpush_feed() then fails with that error. */
typedef int jsonpush_fn(void *arg, const struct jsonpush_event *event, struct err *err);

struct jsonpush *jsonpush_new(jsonpush_fn *event, void *arg);
void jsonpush_free(struct jsonpush *json);
DEFINE_OWNED(struct jsonpush *, jsonpush_free);

/* Take the next bytes. After a failure only jsonpush_reset() helps. Errors: ERR_INVALID with the
 * position, and those of the callback. */
must_check int jsonpush_feed(struct jsonpush *json, const void *bytes, size_t length,
			     struct err *err);

/* No more bytes come: exactly one value must be complete. Errors: ERR_INVALID. */
must_check int jsonpush_end(struct jsonpush *json, struct err *err);

/* Nothing but white space was fed so far. */
bool jsonpush_is_blank(const struct jsonpush *json);

/* Start over for another value. */
void jsonpush_reset(struct jsonpush *json);
