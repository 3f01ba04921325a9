#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/check/checkup.h"

/* A checkup whose lines a test reads. */
struct checking {
	struct checkup checkup;
	char *text;
	size_t length;
};

static inline void checking_begin(struct checking *checking)
{
	*checking = (struct checking){0};
	checking->checkup.out = open_memstream(&checking->text, &checking->length);
	assert_non_null(checking->checkup.out);
}

static inline void checking_end(struct checking *checking)
{
	fclose(checking->checkup.out);
	checking->checkup.store = NULL; /* the test's own */
	checkup_done(&checking->checkup);
	free(checking->text);
}

/* What was printed so far. */
static inline const char *checking_text(struct checking *checking)
{
	fflush(checking->checkup.out);
	return checking->text;
}
