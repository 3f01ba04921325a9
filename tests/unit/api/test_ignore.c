#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/ignore.h"
#include "api/limits.h"
#include "base/mem.h"
#include "base/str.h"

/* Expectations were made by `git check-ignore --no-index` with the same rules. */
struct expectation {
	const char *rules;
	const char *path;
	bool ignored;
};

static const struct expectation expectations[] = {
	{"*.log", "a.log", true},
	{"*.log", "deep/er/a.log", true},
	{"*.log", "a.logs", false},
	{"/a.txt", "a.txt", true},
	{"/a.txt", "sub/a.txt", false},
	{"sub/a.txt", "sub/a.txt", true},
	{"sub/a.txt", "x/sub/a.txt", false},
	{"build/", "build/x.o", true},
	{"build/", "src/build/x.o", true},
	{"build/", "build", false},
	{"build", "build", true},
	{"**/cache", "cache", true},
	{"**/cache", "a/b/cache", true},
	{"a/**", "a/b/c", true},
	{"a/**", "a", false},
	{"a/**/z", "a/z", true},
	{"a/**/z", "a/b/c/z", true},
	{"a/**/z", "a/b/c/y", false},
	{"*.txt\n!keep.txt", "keep.txt", false},
	{"*.txt\n!keep.txt", "lose.txt", true},
	{"dir/\n!dir/keep.txt", "dir/keep.txt", true},
	{"dir/*\n!dir/keep.txt", "dir/keep.txt", false},
	{"# *.txt", "a.txt", false},
	{"\\#file", "#file", true},
	{"\\!file", "!file", true},
	{"file   ", "file", true},
	{"file\\ ", "file ", true},
	{"?.txt", "a.txt", true},
	{"?.txt", "ab.txt", false},
	{"[a-c].txt", "b.txt", true},
	{"[!a-c].txt", "b.txt", false},
	{"[!a-c].txt", "d.txt", true},
	{"[]x].txt", "].txt", true},
	{"[a.txt", "[a.txt", false},
	{"a*b*c", "a__b__c", true},
	{"a*b*c", "a__b__d", false},
	{"sub/*.py", "sub/deep/a.py", false},
	{"*", "anything/at/all", true},
	{"a.txt\r\nb.txt\r\n", "b.txt", true},
	{"", "a.txt", false},
	{"\n\n   \n", "a.txt", false},
	{"/", "a.txt", false},
	{"!", "a.txt", false},
};

static void matches_what_git_matches(void **state)
{
	for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++) {
		const struct expectation *e = &expectations[i];
		owned(ignore_free) struct ignore *ignore = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(ignore_parse(e->rules, strlen(e->rules), &ignore, &err), 0);
		if (ignore_match(ignore, e->path) != e->ignored)
			fail_msg("rules \"%s\", path \"%s\": expected %d", e->rules, e->path,
				 e->ignored);
	}
}

/* A backtracking matcher would need 2^64 steps here. */
static void is_not_slowed_down_by_a_hostile_pattern(void **state)
{
	static const char rules[] = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b\n"
				    "**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b\n";
	static const char path[] =
		"a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	owned(ignore_free) struct ignore *ignore = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(ignore_parse(rules, strlen(rules), &ignore, &err), 0);
	assert_false(ignore_match(ignore, path));
}

static void refuses_more_than_its_limits(void **state)
{
	owned(ignore_free) struct ignore *ignore = NULL;
	owned(str_done) struct str rules = str_new(LIMITS_IGNORE_TEXT * 2);
	struct err err = ERR_INIT;

	for (int i = 0; i <= LIMITS_IGNORE_RULES; i++)
		str_add(&rules, "a\n");
	assert_int_equal(ignore_parse(rules.data, rules.length, &ignore, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	while (rules.length <= LIMITS_IGNORE_TEXT)
		str_add(&rules, "# a comment\n");
	assert_int_equal(ignore_parse(rules.data, rules.length, &ignore, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	assert_null(ignore);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_what_git_matches),
		cmocka_unit_test(is_not_slowed_down_by_a_hostile_pattern),
		cmocka_unit_test(refuses_more_than_its_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
