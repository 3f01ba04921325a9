#pragma once

#include "base/own.h"
#include "front/ask.h"
#include "space/loop.h"

/*
 * Carries nginx's questions from the front to the space loop, and the answers back: the one knows
 * no Space, the other no page.
 */
struct question_desk {
	struct space_loop *loop; /* NULL while it starts and ends: "unavailable" */
};

/* For ask_config: `arg` is a struct question_desk. */
void question_ask(void *arg, struct ask *ask);
