#include "engine/runs.h"

#include <string.h>

#include "base/mem.h"

void runs_done(struct runs *runs)
{
	free(runs->items);
	*runs = RUNS_INIT;
}

struct runs_entry *runs_find(const struct runs *runs, const char *key)
{
	for (size_t i = 0; i < runs->count; i++)
		if (strcmp(runs->items[i].run.key, key) == 0)
			return &runs->items[i];
	return NULL;
}

struct runs_entry *runs_put(struct runs *runs, const struct engine_run *run)
{
	struct runs_entry *entry = runs_find(runs, run->key);

	if (!entry) {
		if (runs->count == runs->room) {
			runs->room = runs->room ? 2 * runs->room : 16;
			runs->items = mem_grow(runs->items, runs->room, sizeof(*runs->items));
		}
		entry = &runs->items[runs->count++];
	}
	*entry = (struct runs_entry){.run = *run};
	return entry;
}

void runs_remove(struct runs *runs, const char *key)
{
	struct runs_entry *entry = runs_find(runs, key);

	if (entry)
		*entry = runs->items[--runs->count];
}

struct engine_run runs_submitted(const struct engine_spec *spec)
{
	struct engine_run run = {
		.kind = spec->kind,
		.state = ENGINE_STARTING,
		.port = spec->port,
	};

	memcpy(run.key, spec->key, sizeof(run.key));
	memcpy(run.space, spec->space, sizeof(run.space));
	return run;
}
