#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/own.h"

/*
 * Fields of a query string or of a form body (application/x-www-form-urlencoded), decoded. Clients
 * spell an array `expand=a&expand=b` or with `expand[]`, raw or encoded: a trailing `[]` is dropped
 * from a name (Wire: 0.1).
 */
struct query_field {
	const char *name;
	const char *value;
};

struct query {
	char *text; /* what the fields point into */
	struct query_field *fields;
	size_t count;
};

#define QUERY_INIT       ((struct query){0})

#define QUERY_MAX_FIELDS 1000
/* paths-info (Wire: B7) sends one field for each file that is asked about. */
#define QUERY_MAX_FORM_FIELDS 20000

/*
 * Parse `length` bytes. Empty fields are skipped, a field without "=" has an empty value.
 * Errors: ERR_INVALID for a broken %XX, a NUL or what is no UTF-8; ERR_TOO_LARGE.
 */
must_check int query_parse(const char *text, size_t length, size_t field_max, struct query *out,
			   struct err *err);
void query_done(struct query *query);
static inline void own_query_done(struct query *held)
{
	query_done(held);
}

/* The first value of a name, NULL where there is none. */
const char *query_first(const struct query *query, const char *name);

/* Write up to `max` values in their order. Returns how many were written. */
size_t query_all(const struct query *query, const char *name, const char **out, size_t max);
