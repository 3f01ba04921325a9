#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"

/* A store in a directory of its own, for one test. The state of cmocka points to it. */
struct scratch {
	char dir[64];
	char path[80];
	struct store *store;
};

int scratch_setup(void **state);
int scratch_teardown(void **state);
struct scratch *scratch_of(void **state);

/* Run statements in one transaction; they must work. */
void scratch_write(struct store *store, const char *sql);

/* First column of the first row, in a reading of its own. */
int64_t scratch_ask(struct store *store, const char *sql);

#define assert_ok(call)                                      \
	do {                                                 \
		int assert_ok_result_ = (call);              \
		if (assert_ok_result_ < 0)                   \
			fail_msg("%s: %s", #call, err.text); \
	} while (0)
