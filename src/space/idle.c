#include "space/idle.h"

/* Between two looks at a Space that somebody visits: short beside its sleep time, and not often. */
enum { LOOK_SHARE = 8, LOOK_MIN_MS = 100, LOOK_MAX_MS = 60 * 1000 };

static int64_t look_ms(const struct idle_rule *rule)
{
	int64_t ms = rule->sleep_ms / LOOK_SHARE;

	if (ms < LOOK_MIN_MS)
		return LOOK_MIN_MS;
	return ms < LOOK_MAX_MS ? ms : LOOK_MAX_MS;
}

static void move(struct idle *idle, int64_t to_ms, int64_t now_ms)
{
	if (to_ms > now_ms)
		to_ms = now_ms;
	if (to_ms > idle->since_ms)
		idle->since_ms = to_ms;
}

void idle_touch(struct idle *idle, int64_t now_ms)
{
	idle->seen = true;
	idle->since_ms = now_ms;
}

void idle_shorten(struct idle *idle, const struct idle_rule *rule, int64_t after_ms)
{
	if (rule->sleep_ms > after_ms)
		idle->since_ms -= rule->sleep_ms - after_ms;
}

int64_t idle_left_ms(struct idle *idle, const struct route_usage *usage,
		     const struct idle_rule *rule, int64_t begin_ms, int64_t now_ms)
{
	bool ignores = rule->ignores_sockets && usage->sockets <= usage->open;
	uint64_t open = usage->open - (ignores ? usage->sockets : 0);
	int64_t left_ms;

	if (!idle->seen)
		idle->since_ms = INT64_MIN;
	move(idle, begin_ms, now_ms);
	if (usage->activity_ms)
		move(idle, (int64_t)usage->activity_ms, now_ms);
	/* A worker has ended and its counts with it: nobody knows what it did last. */
	if (open > 0 || (idle->seen && usage->requests < idle->requests))
		idle->since_ms = now_ms;
	idle->requests = usage->requests;
	idle->seen = true;
	if (rule->sleep_ms < 0)
		return -1;
	if (open > 0)
		return look_ms(rule);
	left_ms = idle->since_ms + rule->sleep_ms - now_ms;
	return left_ms > 0 ? left_ms : 0;
}

const char *idle_depth_name(enum idle_depth depth)
{
	static const char *const names[] = {[IDLE_AWAKE] = "",
					    [IDLE_FROZEN] = "frozen",
					    [IDLE_PAGED] = "paged-out",
					    [IDLE_STOPPED] = "stopped"};

	return names[depth];
}

/* Has the time come? If not, *next_ms is no later than then. */
static bool is_due(int64_t after_ms, int64_t asleep_ms, int64_t *next_ms)
{
	int64_t left_ms = after_ms - asleep_ms;

	if (after_ms < 0)
		return false;
	if (left_ms > 0 && (*next_ms < 0 || left_ms < *next_ms))
		*next_ms = left_ms;
	return left_ms <= 0;
}

enum idle_depth idle_depth(const struct idle_rule *rule, int64_t asleep_ms, int64_t *next_ms)
{
	*next_ms = -1;
	if (rule->stops || is_due(rule->stop_ms, asleep_ms, next_ms)) {
		*next_ms = -1;
		return IDLE_STOPPED;
	}
	return is_due(rule->page_ms, asleep_ms, next_ms) ? IDLE_PAGED : IDLE_FROZEN;
}
