#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/own.h"

/*
 * The rules of a .gitignore at the root of a repository, by gitignore(5): comments, "!" and "\",
 * "*",
 * "?", "[a-z]", "**", anchored and folder rules; what is below an ignored folder stays ignored.
 *
 * The time for one path grows with length of rule times length of path, whatever the pattern: it
 * comes from a client.
 */
struct ignore;

/* Errors: ERR_TOO_LARGE by LIMITS_IGNORE_TEXT and LIMITS_IGNORE_RULES. */
must_check int ignore_parse(const char *text, size_t length, struct ignore **out, struct err *err);
void ignore_free(struct ignore *ignore);
DEFINE_OWNED(struct ignore *, ignore_free);

/* Is the file at `path`, from the root, ignored? */
bool ignore_match(const struct ignore *ignore, const char *path);
