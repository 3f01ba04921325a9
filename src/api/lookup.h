#pragma once

#include "api/call.h"
#include "api/fields.h"
#include "repo/catalogue.h"

/*
 * Lookup: the repositories among which a list chooses, for the one who calls. The catalogue finds
 * them by what the caller may see; each row that is read for the answer is asked once more, by the
 * condition over rows, for it may have become private meanwhile.
 *
 * Wire: A7.
 */

/* Entries of one page, with the place behind each of them. */
struct lookup {
	struct fields_entry *entries;
	struct catalogue_mark *marks;
	size_t count;
	bool more;                  /* there are others, … */
	struct catalogue_mark last; /* … which start here: the last of the page may be left out */
};

void lookup_done(struct lookup *lookup);
static inline void own_lookup_done(struct lookup *held)
{
	lookup_done(held);
}

/* Find and read a page; the query's `sight` is filled here. The rows are of one moment. */
must_check int lookup_page(struct call *call, const struct catalogue_query *query, uint64_t chosen,
			   struct lookup *out, struct err *err);

/*
 * The place that `cursor` names, in *mark, which *after points to then; as it was where there is no
 * cursor. Errors: ERR_INVALID.
 */
must_check int lookup_cursor(struct call *call, struct catalogue_mark *mark,
			     const struct catalogue_mark **after, struct err *err);

/* Link to what is behind the first `count` entries, if there is something. */
void lookup_next(struct call *call, const struct lookup *lookup, size_t count);

/*
 * All values of a name in the query, borrowed from the request; `out` has room for
 * LIMITS_LIST_TERMS. Empty ones don't count. Errors: ERR_TOO_LARGE.
 */
must_check int lookup_texts(struct call *call, const char *name, const char **out, size_t *count,
			    struct err *err);
