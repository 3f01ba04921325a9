#pragma once

#include <stdint.h>

#include "api/call.h"

/*
 * Pages of a list. A client asks for the first one with `limit` and follows `Link` to the others:
 * what it wrote into its query stays as it was, only `cursor` is ours. A cursor is a short text
 * that the list itself chooses and reads again by http_query(request, "cursor").
 *
 * Wire: 0.5.
 */

/*
 * How many entries a page has: `limit` of the query, `normal` without one, never more than `max`.
 * Errors: ERR_INVALID where it is no number above 0.
 */
must_check int page_limit(const struct call *call, int64_t normal, int64_t max, int64_t *out,
			  struct err *err);

/*
 * Say where the next page is. `path` begins with "/" and is encoded already; NULL: the request's
 * own. A list that a push could move names a commit there in place of a branch.
 */
void page_next(struct call *call, const char *path, const char *cursor);
