#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Clocks. Durations are measured on the monotonic clock; wall time is for people and for the wire.
 * Units: milliseconds, as the names say.
 */
int64_t clock_mono_ms(void);
int64_t clock_wall_ms(void);

/* Room for one timestamp with its NUL. */
enum { CLOCK_STAMP_MAX = 32 };

/*
 * "2026-01-02T03:04:05.678Z", the only form that every client parses (Wire: 0.3). Times outside of
 * the years 0 to 9999, which a commit may claim, become the first or the last of these.
 */
const char *clock_stamp(int64_t wall_ms, char out[static CLOCK_STAMP_MAX]);
