#include "base/log.h"
#include "space/life.h"

/* Has a newer run of the Space answered the probe? */
static bool is_superseded(const struct life_view *view, size_t index)
{
	for (size_t i = index + 1; i < view->run_count; i++)
		if (view->runs[i].ready_ms)
			return true;
	return false;
}

static bool must_stop(const struct life_view *view, size_t index)
{
	const struct space *space = &view->space;
	const struct runrow *row = &view->runs[index];

	if (space->paused || space->deleting || row->restart_nonce != space->restart_nonce)
		return true;
	if (is_superseded(view, index))
		return true;
	/* It never answered, and the Space was given up, or has gone on to another wish. */
	return !row->ready_ms &&
	       (space->settled == row->generation || row->generation != space->generation);
}

/* Visitors are routed elsewhere before: the step calls life_route() first. */
bool life_stop(struct life *life, const struct life_view *view)
{
	struct engine *engine = life->loop->engine;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < view->run_count; i++) {
		struct life_fact *fact = life_fact(life->loop, view->runs[i].key);

		if (!fact || fact->stopping || !must_stop(view, i))
			continue;
		if (engine->ops->stop(engine, fact->run.key, LIFE_GRACE_MS, &err) < 0) {
			log_warn("space.stop", "run=%s error=%s", fact->run.key, err.text);
			life_wake(life, life->loop->config.retry_ms);
			continue;
		}
		fact->stopping = true;
	}
	return false; /* the end is reported */
}
