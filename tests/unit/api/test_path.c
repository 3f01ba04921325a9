#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/path.h"

static void takes_paths_that_people_use(void **state)
{
	static const char *const good[] = {"app.py",   "src/a b.py", ".gitignore", "a/.github/x",
					   ".cache/x", "x.",         "a /b",       "é/日本.txt"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = ERR_INIT;

		if (path_check(good[i], &err) < 0)
			fail_msg("%s is refused: %s", good[i], err.text);
	}
}

static void says_what_is_wrong(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(path_check("a/../b", &err), -1);
	assert_int_equal(err.kind, ERR_UNPROCESSED);
	assert_string_equal(err.text, "the path \"a/../b\" is not allowed in a repository: "
				      "it has a component \"..\"");
}

static void knows_names_of_one_part(void **state)
{
	static const char *const good[] = {"/api/models/gpt2",
					   "/api/datasets/squad",
					   "/api/models/gpt2/revision/main",
					   "/api/models/gpt2/tree/a",
					   "/gpt2/resolve/main/config.json",
					   "/gpt2/raw/main/x"};
	static const char *const bad[] = {"",
					  "/",
					  "/api/models/",
					  "/api/models/me/x",
					  "/api/nothing/x",
					  "/api/repos/create",
					  "/resolve/main",
					  "/gpt2",
					  "/gpt2/blob/main/x"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!path_names_short_repo(good[i]))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (path_names_short_repo(bad[i]))
			fail_msg("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_paths_that_people_use),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(knows_names_of_one_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
