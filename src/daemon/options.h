#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/own.h"
#include "daemon/settings.h"

/*
 * The command line of espaced: options, then a word with what belongs to it. DIR/espace.conf is
 * read first, so that options win over it.
 */
struct options {
	struct settings settings;
	const char *data; /* borrowed from argv */
	bool help;
	bool version;
	bool manual;
	const char *
		*words_before; /* the options themselves, NULL-terminated, for @hub and @runner */
	char **rest;           /* the word and what follows it */
	int rest_count;
};

must_check int options_parse(int argc, char **argv, struct options *out, struct err *err);
void options_done(struct options *options);
static inline void own_options_done(struct options *held)
{
	options_done(held);
}
