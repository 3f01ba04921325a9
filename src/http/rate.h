#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/own.h"

/*
 * Rate limits: how often each caller has called in its present window of five minutes. Windows are
 * fixed, but each caller's begin at another moment, so that not all come back at once.
 *
 * The table has room for RATE_CALLERS callers and never grows. Who finds no place in it is let
 * through uncounted: too many callers make the limits softer, never the server slower. Counts are
 * lost with the process.
 *
 * Units:   seconds of any clock that does not jump, handed in.
 * Threads: any, at once; there is no lock.
 * Wire:    0.3 `RateLimit`.
 */
struct rate;

enum { RATE_WINDOW_S = 300, RATE_CALLERS = 1 << 16 };

/* What the caller may be told. */
struct rate_state {
	uint32_t left;    /* calls until the end of the window */
	uint32_t reset_s; /* seconds until then, at least 1 */
};

struct rate *rate_new(void);
void rate_free(struct rate *rate);
DEFINE_OWNED(struct rate *, rate_free);

/* A caller, as any text; what one does of different kinds is counted apart. */
uint64_t rate_caller(const struct rate *rate, const char *kind, const char *who);

/* Count a call. False: it is one too many. */
bool rate_take(struct rate *rate, uint64_t caller, uint32_t max, int64_t now_s,
	       struct rate_state *out);
