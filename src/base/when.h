#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * Moments as people write them, for "since" and "until": a day ("2026-11-25"), a moment of UTC
 * ("2026-11-25T10:30:00Z", with or without seconds, their fraction and the Z), or how long before
 * now ("90s", "30m", "12h", "7d", "2w").
 */

/* Milliseconds of the wall clock. Errors: ERR_INVALID. */
must_check int when_parse(const char *text, int64_t now_ms, int64_t *out, struct err *err);
