#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "store/store.h"

enum { WORD_TEXTS_MAX = 16 };

typedef int word_function(struct store *store, int argc, char **argv, FILE *out, struct err *err);

/* Run a word as from the command line; the texts end in NULL. What it prints is for free(). */
static inline int word_run(word_function *word, struct store *store, const char *const *texts,
			   char **out, struct err *err)
{
	char *argv[WORD_TEXTS_MAX];
	size_t length;
	int argc = 0;

	*err = ERR_INIT;
	FILE *file = open_memstream(out, &length);
	assert_non_null(file);
	for (; texts[argc]; argc++)
		argv[argc] = strdup(texts[argc]);
	int result = word(store, argc, argv, file, err);
	fclose(file);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return result;
}
