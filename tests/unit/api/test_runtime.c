#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/runtime.h"

static void reads_seconds_in_both_spellings(void **state)
{
	owned(json_decref) json_t *body = json_pack("{s:i, s:s, s:s, s:n}", "number", 3600, "text",
						    "-1", "bad", "1h", "null");
	struct err err = ERR_INIT;
	int64_t seconds = 7;

	assert_int_equal(runtime_seconds(body, "missing", &seconds, &err), 0);
	assert_int_equal(runtime_seconds(body, "null", &seconds, &err), 0);
	assert_int_equal(seconds, 7);
	assert_int_equal(runtime_seconds(body, "number", &seconds, &err), 0);
	assert_int_equal(seconds, 3600);
	assert_int_equal(runtime_seconds(body, "text", &seconds, &err), 0);
	assert_int_equal(seconds, -1);
	assert_int_equal(runtime_seconds(body, "bad", &seconds, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(seconds, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_seconds_in_both_spellings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
