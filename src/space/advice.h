#pragma once

#include <jansson.h>
#include <stddef.h>

#include "repo/repo.h"

/*
 * Advice: what a person should know about a README before it is uploaded. Clients ask, and upload
 * nothing where there is an error; whoever pushes without asking is not stopped.
 *
 * An error is a front matter that can't be read, or a value of another kind than its key has on the
 * Hub. A warning is what will not work as its author may think.
 *
 * Wire: B9.
 */
/* Sentences are appended to two arrays, as {"message": …}. */
void advice_give(const char *text, size_t length, enum repo_type type, json_t *errors,
		 json_t *warnings);
