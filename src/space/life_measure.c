#include "space/life.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/*
 * What runs of Spaces use, for whoever asks. Questions that wait for the engine are kept by the key
 * of their run.
 */

/* The run that visitors meet, else the newest one. */
static const struct life_fact *measured_run(const struct space_loop *loop, const struct life *life)
{
	const struct life_fact *best = NULL;

	for (const struct life_fact *fact = loop->facts; fact; fact = fact->next) {
		const struct engine_run *run = &fact->run;

		if (run->kind != ENGINE_APP || strcmp(run->space, life->hex) != 0 ||
		    (run->state != ENGINE_RUNNING && run->state != ENGINE_FROZEN))
			continue;
		if (life->address && run->address == life->address)
			return fact;
		if (!best || run->started_ms > best->run.started_ms)
			best = fact;
	}
	return best;
}

static const struct life *find_life(const struct space_loop *loop, int64_t repo_id)
{
	const struct life *life = loop->lives;

	while (life && life->repo_id != repo_id)
		life = life->next;
	return life;
}

static bool ask_engine(struct space_loop *loop, struct life_measure *measure)
{
	const struct life *life = find_life(loop, measure->repo_id);
	const struct life_fact *fact = life ? measured_run(loop, life) : NULL;
	struct err err = ERR_INIT;

	if (!fact || loop->ending)
		return false;
	memcpy(measure->key, fact->run.key, sizeof(measure->key));
	if (loop->engine->ops->measure(loop->engine, measure->key, &err) == 0)
		return true;
	log_debug("space.measure", "run=%s error=%s", measure->key, err.text);
	return false;
}

static void answer(struct life_measure *measure, const struct engine_metrics *metrics)
{
	measure->answer(measure->arg, measure->repo_id, metrics);
	free(measure);
}

void life_measure(struct space_loop *loop, struct life_measure *measure)
{
	if (!ask_engine(loop, measure)) {
		answer(measure, NULL);
		return;
	}
	measure->next = loop->measures;
	loop->measures = measure;
}

void life_measured(struct space_loop *loop, const char *key, const struct engine_metrics *metrics)
{
	struct life_measure **at = &loop->measures;

	while (*at) {
		struct life_measure *measure = *at;

		if (key && strcmp(measure->key, key) != 0) {
			at = &measure->next;
			continue;
		}
		*at = measure->next;
		answer(measure, metrics);
	}
}
