#include "base/flood.h"

#include <stddef.h>
#include <string.h>

static bool is_over(const struct flood_event *event, int64_t now_ms)
{
	return now_ms - event->since_ms >= FLOOD_WINDOW_MS;
}

/* Its entry, a new one, or one that has nothing to tell any more; NULL where all are in use. */
static struct flood_event *find(struct flood *flood, const char *name, int64_t now_ms)
{
	struct flood_event *spare = NULL;

	for (unsigned i = 0; i < flood->count; i++) {
		struct flood_event *event = &flood->events[i];

		if (strcmp(event->name, name) == 0)
			return event;
		if (event->lines <= FLOOD_LINES && is_over(event, now_ms))
			spare = event;
	}
	if (!spare && flood->count < FLOOD_EVENTS)
		spare = &flood->events[flood->count++];
	if (spare)
		*spare = (struct flood_event){.name = name, .since_ms = now_ms};
	return spare;
}

bool flood_pass(struct flood *flood, const char *name, int64_t now_ms)
{
	struct flood_event *event = find(flood, name, now_ms);

	if (!event)
		return true;
	if (event->lines <= FLOOD_LINES && is_over(event, now_ms))
		*event = (struct flood_event){.name = name, .since_ms = now_ms};
	return ++event->lines <= FLOOD_LINES;
}

const char *flood_held(struct flood *flood, int64_t now_ms, unsigned *lines)
{
	for (unsigned i = 0; i < flood->count; i++) {
		struct flood_event *event = &flood->events[i];

		if (event->lines <= FLOOD_LINES || !is_over(event, now_ms))
			continue;
		*lines = event->lines - FLOOD_LINES;
		*event = (struct flood_event){.name = event->name, .since_ms = now_ms};
		return event->name;
	}
	return NULL;
}
