#pragma once

#include <stdint.h>

#include "api/call.h"
#include "base/err.h"
#include "base/own.h"

/*
 * How many calls a user, or an address where nobody is signed in, may make in five minutes: of the
 * API, of files, and of all else. Each is counted apart; none has a limit unless the operator sets
 * one. What no row serves is not counted.
 *
 * Wire: 0.3 `RateLimit`, 0.4 (429).
 */
enum quota_kind { QUOTA_API, QUOTA_RESOLVERS, QUOTA_PAGES, QUOTA_KINDS };

struct quota;

/* `limits`: one for each kind, 0 for none. */
struct quota *quota_new(const int64_t limits[static QUOTA_KINDS]);
void quota_free(struct quota *quota);
DEFINE_OWNED(struct quota *, quota_free);

/* What a row counts as. */
enum quota_kind quota_kind_of(const char *pattern);

/* Who is counted: "user 5", or an address. For free(). */
char *quota_caller(const struct call *call);

/*
 * Count a call, and say in its answer what is left. Who calls is known by now.
 * Errors: ERR_SPENT.
 */
must_check int quota_take(struct quota *quota, struct call *call, int64_t now_s, struct err *err);
