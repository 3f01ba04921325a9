#include <string.h>

#include "base/clock.h"
#include "space/life.h"

/*
 * Many want to start at one moment, as after a restart of the machine: a few at a time, so that the
 * first ones answer soon instead of all of them late. Whom somebody waits for comes first, then who
 * has waited longest. One that takes long to answer, or never does, soon counts no more.
 */

static bool is_starting(const struct life *life, int64_t now_ms)
{
	return life->begun_ms && now_ms - life->begun_ms < life->loop->config.rush_ms;
}

static bool is_awaited(const struct life *life)
{
	const struct life_ask *ask = life->loop->asks;

	while (ask && strcmp(ask->slug, life->slug) != 0)
		ask = ask->next;
	return ask || life->visited_ms;
}

static bool precedes(const struct life *one, const struct life *other)
{
	bool awaited = is_awaited(one);

	if (awaited != is_awaited(other))
		return awaited;
	if (one->stands_ms != other->stands_ms)
		return one->stands_ms < other->stands_ms;
	return one->repo_id < other->repo_id;
}

static bool may_start(const struct life *life)
{
	int64_t now_ms = clock_mono_ms();
	unsigned before = 0;

	for (const struct life *other = life->loop->lives; other; other = other->next)
		before += is_starting(other, now_ms) ||
			  (other->stands_ms && other != life && precedes(other, life));
	return before < life->loop->config.rush_max;
}

bool life_rush_admits(struct life *life)
{
	const struct space_loop_config *config = &life->loop->config;

	if (config->rush_max == 0)
		return true;
	if (!life->stands_ms)
		life->stands_ms = clock_mono_ms();
	if (may_start(life))
		return true;
	life_wake(life, config->rush_ms); /* at the latest */
	return false;
}

void life_rush_began(struct life *life)
{
	life->stands_ms = 0;
	life->begun_ms = clock_mono_ms();
}

void life_rush_look(struct life *life, const struct life_view *view)
{
	const struct space *space = &view->space;
	const struct runrow *target = life_target(view);
	bool wants = !space->paused && !space->deleting && space->settled != space->generation;
	bool moved = false;

	if (life->begun_ms && (!target || target->ready_ms)) {
		life->begun_ms = 0;
		moved = true;
	}
	if (life->stands_ms && (!wants || target)) {
		life->stands_ms = 0;
		moved = true;
	}
	if (!moved)
		return;
	for (struct life *other = life->loop->lives; other; other = other->next)
		if (other->stands_ms && may_start(other))
			life_wake(other, 0);
}
