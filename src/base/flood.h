#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Flood: bounds how often one and the same event is written to the log. A full disk or a broken
 * peer makes the same complaint for each request and each retry; the log would fill the next disk.
 *
 * FLOOD_LINES lines of an event pass in FLOOD_WINDOW_MS; what comes beyond is counted, and told as
 * a number once the window is over. With more than FLOOD_EVENTS kinds of trouble at once the rest
 * passes unbounded.
 *
 * Units:   milliseconds of the monotonic clock, handed in.
 * Threads: one at a time.
 */
enum { FLOOD_EVENTS = 64, FLOOD_LINES = 20, FLOOD_WINDOW_MS = 10 * 1000 };

struct flood {
	struct flood_event {
		const char *name;
		int64_t since_ms; /* when the window began */
		unsigned lines;
	} events[FLOOD_EVENTS];
	unsigned count;
};

/* May a line of this event be written now? `event` is kept by reference. */
bool flood_pass(struct flood *flood, const char *event, int64_t now_ms);

/* An event of which lines were held back until now, or NULL. Each is named once. */
const char *flood_held(struct flood *flood, int64_t now_ms, unsigned *lines);
