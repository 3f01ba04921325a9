#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/path.h"

static void takes_paths_that_people_use(void **state)
{
	static const char *const good[] = {"app.py",  "src/a b.py", ".gitignore", "a/.github/x",
					   "cache/x", "x.cache",    "a/.cached",  "é/日本.txt"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = ERR_INIT;

		if (path_check(good[i], &err) < 0)
			fail_msg("%s is refused: %s", good[i], err.text);
	}
}

static void refuses_paths_that_lead_astray(void **state)
{
	static const char *const bad[] = {"",           "/a",       "../a",  "a/../b",
					  "a//b",       "a/",       "./a",   ".git/config",
					  "a/.GIT/x",   "a\\b",     "..\\a", ".cache",
					  "a/.cache/b", ".Cache/b", "a\nb",  "\xff"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = ERR_INIT;

		if (path_check(bad[i], &err) == 0)
			fail_msg("\"%s\" is accepted", bad[i]);
		assert_int_equal(err.kind, ERR_UNPROCESSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_paths_that_people_use),
		cmocka_unit_test(refuses_paths_that_lead_astray),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
