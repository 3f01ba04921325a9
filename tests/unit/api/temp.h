#pragma once

/* A folder that goes away with the test, for repositories. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"

static inline int temp_setup(void **state)
{
	char *folder = mem_text("/tmp/espace-api-XXXXXX");

	*state = mkdtemp(folder);
	return *state ? 0 : -1;
}

static inline int temp_teardown(void **state)
{
	struct err err = ERR_INIT;
	int rc = file_remove_tree(AT_FDCWD, *state, &err);

	free(*state);
	return rc;
}

#define assert_ok(call)                                      \
	do {                                                 \
		if ((call) < 0)                              \
			fail_msg("%s: %s", #call, err.text); \
	} while (0)
