#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "repo/mark.h"

static void a_mark_is_there_until_it_is_cleared(void **state)
{
	char repo[] = "/tmp/espace-mark-XXXXXX";
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(repo));
	assert_false(mark_is_older(repo, -1));
	assert_int_equal(mark_set(repo, &err), 0);
	assert_int_equal(mark_set(repo, &err), 0);
	assert_true(mark_is_older(repo, -1));
	assert_false(mark_is_older(repo, 3600));
	mark_clear(repo);
	mark_clear(repo);
	assert_false(mark_is_older(repo, -1));
	assert_int_equal(rmdir(repo), 0);
	assert_int_equal(mark_set(repo, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_is_there_until_it_is_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
