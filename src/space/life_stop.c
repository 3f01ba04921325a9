#include "base/clock.h"
#include "base/log.h"
#include "space/life.h"

/* When the first newer run of the Space has answered the probe; 0 for never. */
static int64_t superseded_ms(const struct life_view *view, size_t index)
{
	for (size_t i = index + 1; i < view->run_count; i++)
		if (view->runs[i].ready_ms)
			return view->runs[i].ready_ms;
	return 0;
}

/*
 * Visitors are routed to a newer run. Those who are at the old one may finish; one of them may have
 * read the old address a moment ago and not have connected yet.
 */
static bool is_drained(struct life *life, const struct life_fact *fact, int64_t since_ms)
{
	int64_t passed_ms = clock_wall_ms() - since_ms;

	if (passed_ms < 0 || passed_ms >= LIFE_DRAIN_MAX_MS) /* the clock was set back */
		return true;
	if (!life->handover_ms && passed_ms >= LIFE_DRAIN_MS &&
	    route_open_at(life->loop->config.route, life->slug, fact->run.address,
			  fact->run.port) == 0)
		return true;
	life_wake(life, LIFE_DRAIN_LOOK_MS);
	return false;
}

/* New visits are held for the next version already: those that are at this one may finish. */
static bool is_left(struct life *life, const struct life_fact *fact)
{
	if (life->address) /* a hand-over is under way */
		return false;
	if (clock_mono_ms() - life->yielded_ms >= LIFE_YIELD_MAX_MS ||
	    route_open_at(life->loop->config.route, life->slug, fact->run.address,
			  fact->run.port) == 0)
		return true;
	life_wake(life, LIFE_DRAIN_LOOK_MS);
	return false;
}

static bool must_stop(struct life *life, const struct life_fact *fact, const struct life_view *view,
		      size_t index)
{
	const struct space *space = &view->space;
	const struct runrow *row = &view->runs[index];
	int64_t since_ms = superseded_ms(view, index);

	if (space->paused || space->deleting || row->restart_nonce != space->restart_nonce ||
	    life_is_over(space, row))
		return true;
	if (life_yields(life, space) && row->generation != space->generation)
		return is_left(life, fact);
	if (since_ms)
		return is_drained(life, fact, since_ms);
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

		if (!fact || fact->stopping || !must_stop(life, fact, view, i))
			continue;
		if (engine->ops->stop(engine, fact->run.key, LIFE_GRACE_MS, &err) < 0) {
			log_warn("space.stop", "run=%s error=%s", fact->run.key, err.text);
			life_rest(life);
			continue;
		}
		fact->stopping = true;
	}
	return false; /* the end is reported */
}
