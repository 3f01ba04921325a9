#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/own.h"

/*
 * Arguments of a word: names by position and options, in any order. "--" ends the options;
 * "--name=value" is the same as "--name value".
 *
 * Not getopt: that has one hidden state for the whole process and writes to stderr by itself.
 */
enum usage_kind {
	USAGE_FLAG, /* bool */
	USAGE_TEXT, /* const char *; twice is an error */
	USAGE_LIST, /* struct usage_list, one more value each time */
};

enum { USAGE_LIST_MAX = 64 };

struct usage_list {
	size_t count;
	const char *values[USAGE_LIST_MAX + 1]; /* NULL-terminated */
};

struct usage_option {
	const char *name; /* with its two dashes */
	enum usage_kind kind;
	void *out; /* by kind; left alone where the option is missing */
};

struct usage {
	const char *line; /* "user add NAME [--admin]", told with each error */
	const struct usage_option *options;
	size_t option_count;
	const char **names; /* by position */
	size_t name_count;
	size_t optional_count; /* of the last names: they may be left out */
};

/* Texts are borrowed from argv. Errors: ERR_INVALID. */
must_check int usage_parse(const struct usage *usage, int argc, char **argv, struct err *err);
