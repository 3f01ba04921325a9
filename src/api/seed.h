#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/own.h"
#include "repo/git.h"
#include "repo/repo.h"

/*
 * What a new repository holds: .gitattributes, a README with the front matter of its kind, and the
 * files that the client or a template brings along.
 *
 * Wire: A2.
 */
struct seed {
	enum repo_type type;
	const char *name;        /* of the repository, without namespace */
	const char *sdk;         /* Spaces */
	const char *sdk_version; /* Spaces; NULL for none */
	const char *license;     /* NULL for none */
	const json_t *files;     /* array of {path, content, encoding}, or NULL */
	struct git *template;    /* whose files are copied, or NULL */
	const char *author;
};

/* Check what comes from outside before anything is written. Errors: ERR_INVALID, ERR_UNPROCESSED,
 * ERR_TOO_LARGE. */
must_check int seed_check(const struct seed *seed, struct err *err);

/* Does it bring more than our own two files? */
bool seed_has_files(const struct seed *seed);

/*
 * Make the bare repository at `path`, whole and durable, or nothing. `commit` is the head of main.
 */
must_check int seed_write(const struct seed *seed, const char *path, char commit[static GIT_HEX],
			  struct err *err);
