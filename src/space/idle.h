#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "route/route.h"

/*
 * When does a Space fall asleep, and how deep does it sleep? Only sums: from what the front has
 * counted, the Space's sleep time and the clock. What follows from it is space/life_sleep.c.
 *
 * A Space is idle while no request and no connection is open, since the last of them has ended.
 * Where that is said, an open WebSocket is none, but what is sent over it is.
 *
 * Units: milliseconds of the monotonic clock, the front's own; -1 is never.
 */
struct idle_rule {
	int64_t sleep_ms; /* after so long it falls asleep */
	bool ignores_sockets;
	bool stops;      /* at once: what it holds is needed elsewhere */
	int64_t page_ms; /* after so long in sleep it is paged out */
	int64_t stop_ms; /* after so long in sleep it is stopped */
};

/* What is remembered of one awake run; {0} is one that was never looked at. */
struct idle {
	bool seen;
	uint64_t requests;
	int64_t since_ms;
};

/*
 * Look at the counters of now. 0: it may fall asleep; else how long until the next look, or -1.
 * `begin_ms` is when it became ready: it is not idle since before that.
 */
int64_t idle_left_ms(struct idle *idle, const struct route_usage *usage,
		     const struct idle_rule *rule, int64_t begin_ms, int64_t now_ms);

/* It is not idle now, whatever the counters say. */
void idle_touch(struct idle *idle, int64_t now_ms);

/* It is asked again after `after_ms`, where its sleep time is longer than that. */
void idle_shorten(struct idle *idle, const struct idle_rule *rule, int64_t after_ms);

/* From cheap to wake to cheap to keep. */
enum idle_depth { IDLE_AWAKE, IDLE_FROZEN, IDLE_PAGED, IDLE_STOPPED };

/* "frozen"; "" for awake. */
const char *idle_depth_name(enum idle_depth depth);

/* How deep it is to sleep after `asleep_ms`, and when that changes: *next_ms from now, or -1. */
enum idle_depth idle_depth(const struct idle_rule *rule, int64_t asleep_ms, int64_t *next_ms);
