#pragma once

#include <stddef.h>

#include "engine/engine.h"

/*
 * A list of runs by key, as an engine in the hub's memory keeps it. Positions change with
 * runs_remove(): hold no pointer over it.
 */
struct runs {
	struct runs_entry {
		struct engine_run run;
		uint64_t request; /* the message that asked for it; 0 once it is confirmed */
	} * items;
	size_t count;
	size_t room;
};

#define RUNS_INIT ((struct runs){0})

void runs_done(struct runs *runs);

/* The entry of a key, or NULL. */
struct runs_entry *runs_find(const struct runs *runs, const char *key);

/* Add a run, or replace the one with its key. The request number is 0. */
struct runs_entry *runs_put(struct runs *runs, const struct engine_run *run);

void runs_remove(struct runs *runs, const char *key); /* an unknown key is no error */

/* What a run is between submit and the engine's first word. */
struct engine_run runs_submitted(const struct engine_spec *spec);
