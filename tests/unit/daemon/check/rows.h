#pragma once

#include <sqlite3.h>

#include "checking.h"
#include "scratch.h"

/* From outside, so that rules of the store do not hold it up. */
static inline void rows_write(const struct scratch *scratch, const char *sql)
{
	sqlite3 *other = NULL;

	assert_int_equal(sqlite3_open(scratch->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

/* What `area` must say of the rows that are in the store: `said`; "" is nothing at all. */
static inline void rows_expect(const struct scratch *scratch,
			       int (*area)(struct checkup *checkup, struct err *err),
			       const char *said)
{
	struct checking checking;
	struct err err = ERR_INIT;

	checking_begin(&checking);
	checking.checkup.store = scratch->store;
	assert_int_equal(area(&checking.checkup, &err), 0);
	if (*said)
		assert_non_null(strstr(checking_text(&checking), said));
	else
		assert_string_equal(checking_text(&checking), "");
	checking_end(&checking);
}
