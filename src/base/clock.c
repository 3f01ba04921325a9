#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now); /* can't fail for the clocks that we name */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

const char *clock_stamp(int64_t wall_ms, char out[static CLOCK_STAMP_MAX])
{
	int64_t ms = wall_ms % 1000;
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (ms < 0) { /* before 1970 division rounds up */
		ms += 1000;
		seconds--;
	}
	gmtime_r(&seconds, &tm);

	size_t length = strftime(out, CLOCK_STAMP_MAX, "%Y-%m-%dT%H:%M:%S", &tm);

	snprintf(out + length, CLOCK_STAMP_MAX - length, ".%03dZ", (int)ms);
	return out;
}
