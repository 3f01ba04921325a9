#pragma once

#include <stdbool.h>

/*
 * Stages of a Space and the pure table of their transitions: stage and event in, stage and action out.
 * No clock, no container, no row: space/loop.c does what the action says.
 *
 * Wire: A10 `stage`.
 */
enum stage {
	STAGE_NO_APP_FILE,
	STAGE_CONFIG_ERROR,
	STAGE_BUILDING,
	STAGE_BUILD_ERROR,
	STAGE_APP_STARTING,
	STAGE_RUNNING,
	STAGE_RUNNING_BUILDING,
	STAGE_RUNNING_APP_STARTING,
	STAGE_RUNTIME_ERROR,
	STAGE_SLEEPING,
	STAGE_STOPPED,
	STAGE_PAUSED,
	STAGE_DELETING,
	STAGE_COUNT
};

const char *stage_name(enum stage stage);
bool stage_parse(const char *name, enum stage *out);

/* An old version answers visitors while a newer one is made. */
bool stage_serves(enum stage stage);
/* Something is under way that ends by itself; clients poll on (wait_for_space). */
bool stage_is_passing(enum stage stage);
