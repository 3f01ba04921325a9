#include "daemon/question.h"

static const enum front_page pages[] = {
	[SPACE_WHO_BUILDING] = FRONT_PAGE_BUILDING, [SPACE_WHO_STARTING] = FRONT_PAGE_STARTING,
	[SPACE_WHO_PAUSED] = FRONT_PAGE_PAUSED,     [SPACE_WHO_ERROR] = FRONT_PAGE_ERROR,
	[SPACE_WHO_UNKNOWN] = FRONT_PAGE_NOT_FOUND,
};

static void answer(void *arg, enum space_who who, uint32_t address, uint16_t port)
{
	struct ask *ask = arg;

	if (who == SPACE_WHO_ADDRESS)
		ask_answer_address(ask, address, port);
	else
		ask_answer_page(ask, pages[who]);
}

void question_ask(void *arg, struct ask *ask)
{
	struct question_desk *desk = arg;

	space_loop_who(desk->loop, ask_slug(ask), answer, ask);
}
