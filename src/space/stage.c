#include "space/stage.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const names[STAGE_COUNT] = {
	[STAGE_NO_APP_FILE] = "NO_APP_FILE",
	[STAGE_CONFIG_ERROR] = "CONFIG_ERROR",
	[STAGE_BUILDING] = "BUILDING",
	[STAGE_BUILD_ERROR] = "BUILD_ERROR",
	[STAGE_APP_STARTING] = "APP_STARTING",
	[STAGE_RUNNING] = "RUNNING",
	[STAGE_RUNNING_BUILDING] = "RUNNING_BUILDING",
	[STAGE_RUNNING_APP_STARTING] = "RUNNING_APP_STARTING",
	[STAGE_RUNTIME_ERROR] = "RUNTIME_ERROR",
	[STAGE_SLEEPING] = "SLEEPING",
	[STAGE_STOPPED] = "STOPPED",
	[STAGE_PAUSED] = "PAUSED",
	[STAGE_DELETING] = "DELETING",
};

#define BIT(stage) (1U << (stage))

enum {
	BUILDS = BIT(STAGE_BUILDING) | BIT(STAGE_RUNNING_BUILDING),
	STARTS = BIT(STAGE_APP_STARTING) | BIT(STAGE_RUNNING_APP_STARTING),
	ALIVE = ((1U << STAGE_COUNT) - 1) & ~BIT(STAGE_DELETING),
	AWAKE = ALIVE & ~BIT(STAGE_PAUSED), /* a pause outlasts pushes */
	STARTED = BIT(STAGE_APP_STARTING) | BIT(STAGE_RUNNING) | BIT(STAGE_RUNTIME_ERROR) |
		  BIT(STAGE_SLEEPING) | BIT(STAGE_STOPPED),
};

/* Where an event counts, and what it leads to: the second stage while some version serves. */
static const struct rule {
	unsigned from;
	enum stage to;
	enum stage to_serving;
} rules[STAGE_EVENT_COUNT] = {
	[STAGE_EVENT_PUSHED] = {AWAKE, STAGE_BUILDING, STAGE_RUNNING_BUILDING},
	[STAGE_EVENT_RESTARTED] = {ALIVE, STAGE_BUILDING, STAGE_BUILDING},
	[STAGE_EVENT_NO_APP] = {BUILDS, STAGE_NO_APP_FILE, STAGE_NO_APP_FILE},
	[STAGE_EVENT_BAD_CONFIG] = {BUILDS, STAGE_CONFIG_ERROR, STAGE_CONFIG_ERROR},
	[STAGE_EVENT_BUILD_FAILED] = {BUILDS, STAGE_BUILD_ERROR, STAGE_BUILD_ERROR},
	[STAGE_EVENT_BUILT] = {BUILDS, STAGE_APP_STARTING, STAGE_RUNNING_APP_STARTING},
	[STAGE_EVENT_UNBUILT] = {STARTS, STAGE_BUILDING, STAGE_RUNNING_BUILDING},
	[STAGE_EVENT_READY] = {STARTS, STAGE_RUNNING, STAGE_RUNNING},
	[STAGE_EVENT_CRASHED] = {BIT(STAGE_RUNNING), STAGE_APP_STARTING, STAGE_APP_STARTING},
	[STAGE_EVENT_FAILED] = {STARTS | BIT(STAGE_RUNNING), STAGE_RUNTIME_ERROR,
				STAGE_RUNTIME_ERROR},
	[STAGE_EVENT_DONE] = {STARTS, STAGE_STOPPED, STAGE_STOPPED},
	[STAGE_EVENT_REWISHED] = {STARTED, STAGE_APP_STARTING, STAGE_APP_STARTING},
	[STAGE_EVENT_SLEPT] = {BIT(STAGE_RUNNING), STAGE_SLEEPING, STAGE_SLEEPING},
	[STAGE_EVENT_WOKEN] = {BIT(STAGE_SLEEPING), STAGE_RUNNING, STAGE_RUNNING},
	[STAGE_EVENT_PAUSED] = {ALIVE, STAGE_PAUSED, STAGE_PAUSED},
	[STAGE_EVENT_DELETED] = {ALIVE, STAGE_DELETING, STAGE_DELETING},
};

const char *stage_name(enum stage stage)
{
	assert((unsigned)stage < STAGE_COUNT);
	return names[stage];
}

bool stage_parse(const char *name, enum stage *out)
{
	for (size_t i = 0; i < STAGE_COUNT; i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum stage)i;
			return true;
		}
	return false;
}

/* The same stage where no old version serves. */
static enum stage without_old(enum stage stage)
{
	if (stage == STAGE_RUNNING_BUILDING)
		return STAGE_BUILDING;
	return stage == STAGE_RUNNING_APP_STARTING ? STAGE_APP_STARTING : stage;
}

enum stage stage_next(enum stage from, enum stage_event event, bool serves)
{
	const struct rule *rule;

	assert((unsigned)from < STAGE_COUNT && (unsigned)event < STAGE_EVENT_COUNT);
	if (event == STAGE_EVENT_OLD_GONE || event == STAGE_EVENT_REWISHED)
		from = without_old(from);
	rule = &rules[event];
	if (!(rule->from & BIT(from)))
		return from;
	return serves ? rule->to_serving : rule->to;
}

bool stage_serves(enum stage stage)
{
	return stage == STAGE_RUNNING_BUILDING || stage == STAGE_RUNNING_APP_STARTING;
}

bool stage_is_passing(enum stage stage)
{
	return (BIT(stage) & (BUILDS | STARTS)) != 0;
}
