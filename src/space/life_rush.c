#include <string.h>

#include "base/clock.h"
#include "space/life.h"

/*
 * Many want to start at one moment, as after a restart of the machine: a few at a time, so that the
 * first ones answer soon instead of all of them late. Whom somebody waits for comes first, then who
 * has waited longest. One that takes long to answer, or never does, soon counts no more.
 */

/* For so long the start of a Space still counts. */
static int64_t start_left_ms(const struct life *life, int64_t now_ms)
{
	return life->begun_ms ? life->begun_ms + life->loop->config.rush_ms - now_ms : 0;
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

/* Where it may not, *again_ms is when a start counts no more, from now on. */
static bool may_start(const struct life *life, int64_t *again_ms)
{
	int64_t now_ms = clock_mono_ms();
	unsigned before = 0;

	*again_ms = life->loop->config.rush_ms;
	for (const struct life *other = life->loop->lives; other; other = other->next) {
		int64_t left_ms = start_left_ms(other, now_ms);

		if (other == life)
			continue;
		before += left_ms > 0 || (other->stands && precedes(other, life));
		if (left_ms > 0 && left_ms < *again_ms)
			*again_ms = left_ms;
	}
	return before < life->loop->config.rush_max;
}

bool life_rush_admits(struct life *life)
{
	int64_t now_ms = clock_mono_ms();
	int64_t again_ms;

	if (life->loop->config.rush_max == 0 || start_left_ms(life, now_ms) > 0)
		return true;
	if (!life->stands_ms)
		life->stands_ms = now_ms;
	if (may_start(life, &again_ms))
		return true;
	life->stands = true;
	life_wake(life, again_ms);
	return false;
}

void life_rush_begin(struct life *life)
{
	life->stands_ms = 0;
	life->begun_ms = clock_mono_ms();
}

void life_rush_look(struct life *life, const struct life_view *view)
{
	const struct space *space = &view->space;
	const struct runrow *target = life_target(view);

	if (target ? target->ready_ms != 0 : !life_yields(life, space))
		life->begun_ms = 0;
	if (target || !space_wants_run(space))
		life->stands_ms = 0;
}

void life_rush_moved(struct space_loop *loop)
{
	int64_t again_ms;

	for (struct life *life = loop->lives; life; life = life->next)
		if (life->stands && may_start(life, &again_ms))
			life_wake(life, 0);
}
