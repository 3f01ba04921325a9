#pragma once

#include <stdbool.h>

#include "base/own.h"

/*
 * Enter: the step from a signed link to a cookie. A link is an address with a pass as its parameter
 * `__sign`; who opens it gets a cookie and is sent to the same address without it, so that the pass
 * stays in no history and reaches no app. Programs on the way may have spelled it as %5F%5Fsign.
 *
 * Wire: L2.
 */

/* The value of `__sign` in a path with query, decoded, for free(); NULL where there is none. */
char *enter_sign(const char *uri);

/* The path and query without any `__sign`, for free(). */
char *enter_clean(const char *uri);

/*
 * A Set-Cookie for an origin such as "http://me-demo.localhost:8080", for free(). Over TLS, and for
 * localhost, which browsers trust as much, it has the prefix __Host-, so no other host can set it;
 * elsewhere it is a plain one. It lasts as long as the browser keeps it; its value ends by itself.
 */
char *enter_cookie(const char *origin, const char *value);
