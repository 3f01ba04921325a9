#include "base/log.h"
#include "space/life.h"

/*
 * Spaces that sleep keep their memory, so that a visit wakes them in no time. When the machine has
 * hardly any left, and no swap space to take more, the one that has slept longest is stopped; then
 * the next, until there is room. Its memory comes free with the end of its process: until then none
 * other is chosen.
 */

static bool is_below(uint64_t left, uint64_t all, unsigned percent)
{
	return left / percent < all / 100;
}

static bool is_short(struct space_loop *loop, struct meminfo *now)
{
	unsigned percent = loop->config.sleep.reserve_percent;
	struct err err = ERR_INIT;

	if (loop->engine->ops->memory(loop->engine, now, &err) < 0) {
		log_warn("space.relieve", "error=%s", err.text);
		return false;
	}
	return is_below(now->memory_left, now->memory, percent) &&
	       (now->swap == 0 || is_below(now->swap_left, now->swap, percent));
}

void life_relieve(void *arg)
{
	struct space_loop *loop = arg;
	struct life *longest = NULL;
	struct meminfo now;

	loop_timer_set(loop->relieve, loop->config.relieve_ms);
	if (!loop->observed || !is_short(loop, &now))
		return;
	for (struct life *life = loop->lives; life; life = life->next) {
		if (life->gives_way)
			return;
		if (life->slept_ms && (!longest || life->slept_ms < longest->slept_ms))
			longest = life;
	}
	if (!longest)
		return;
	log_info("space.relieve", "space=%s memory_left=%llu swap_left=%llu", longest->slug,
		 (unsigned long long)now.memory_left, (unsigned long long)now.swap_left);
	longest->gives_way = true;
	life_wake(longest, 0);
}
