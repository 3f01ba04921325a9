#include "http/trace.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

static int is_harmless(unsigned char c)
{
	return isalnum(c) || (c && strchr("-_.:=;,/+@", c));
}

void trace_make(const char *client, char out[static TRACE_ROOM])
{
	unsigned char chance[12];
	size_t length, kept = 0;

	random_bytes(chance, sizeof(chance));
	length = (size_t)snprintf(out, TRACE_ROOM, "Root=1-%08x-",
				  (unsigned)(clock_wall_ms() / 1000));
	hex_write(chance, sizeof(chance), out + length);
	length += 2 * sizeof(chance);
	for (; client && *client && kept < TRACE_CLIENT_MAX; client++) {
		if (!is_harmless((unsigned char)*client))
			continue;
		if (kept++ == 0)
			out[length++] = ';';
		out[length++] = *client;
	}
	out[length] = '\0';
}
