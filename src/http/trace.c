#include "http/trace.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

static int is_harmless(unsigned char c)
{
	return isalnum(c) || (c && strchr("-_.:=;,/+@", c));
}

void trace_make(const char *client, char out[static TRACE_ROOM])
{
	unsigned char chance[12] = {0};
	size_t length, kept = 0;

	/* Twelve bytes are never cut short once the pool is ready; an id of zeros would do no harm.
	 */
	if (getrandom(chance, sizeof(chance), 0) < 0)
		memset(chance, 0, sizeof(chance));
	length = (size_t)snprintf(out, TRACE_ROOM, "Root=1-%08x-",
				  (unsigned)(clock_wall_ms() / 1000));
	for (size_t i = 0; i < sizeof(chance); i++, length += 2)
		snprintf(out + length, TRACE_ROOM - length, "%02x", chance[i]);
	for (; client && *client && kept < TRACE_CLIENT_MAX; client++) {
		if (!is_harmless((unsigned char)*client))
			continue;
		if (kept++ == 0)
			out[length++] = ';';
		out[length++] = *client;
	}
	out[length] = '\0';
}
