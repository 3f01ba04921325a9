#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/own.h"
#include "repo/repo.h"

/*
 * Who may see a repository, as bodies say it: `private`, the word of clients up to 1.7, and
 * `visibility`, the newer one, which wins where both are there.
 *
 * Wire: A2, A5, E.
 */

/* "public", "private", "protected". */
const char *visibility_name(const struct repo *repo);

/*
 * Change is_private and is_protected as a body wants it; what it leaves out, or says as null,
 * stays. Errors: ERR_INVALID, also for a protected repository that is no Space.
 */
must_check int visibility_read(const json_t *body, struct repo *repo, struct err *err);
