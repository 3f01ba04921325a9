#include "test.h"

#include <string.h>

#include "base/mem.h"
#include "base/name.h"
#include "base/str.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void good_names(void **state)
{
	static const char *const names[] = {
		"a",      "me", "_",    "_x_", "hello-gradio", "GPT2", "a.b.c",
		"a-b.c_", "0",  "a.gi", "git", "x.git.y",      "a._b", "a-.b",
	};

	for (size_t i = 0; i < COUNT(names); i++) {
		if (!name_is_valid(names[i]))
			fail_msg("refused %s", names[i]);
	}
}

static void bad_names(void **state)
{
	static const char *const names[] = {
		"",      "-a",    "a-",   ".a",  "a.",  "a--b", "a..b", "..",
		".",     "a.git", ".git", "a/b", "a b", "a\n",  "a%",   "\xc3\xa9",
		"a\x7f", "a\\b",  "<x>",  "a:b", "~",   "a@b",
	};

	for (size_t i = 0; i < COUNT(names); i++) {
		if (name_is_valid(names[i]))
			fail_msg("accepted %s", names[i]);
	}
}

static void a_bad_name_is_told_its_rule(void **state)
{
	static const struct {
		const char *name;
		const char *fault;
	} names[] = {
		{"", "it is empty"},
		{"a/b", "use letters, digits, '-', '_' and '.'"},
		{"a\n", "use letters, digits, '-', '_' and '.'"},
		{"-a", "it starts or ends with '-' or '.'"},
		{"a.", "it starts or ends with '-' or '.'"},
		{"a--b", "it has \"--\" or \"..\" in it"},
		{"a..b", "it has \"--\" or \"..\" in it"},
		{"a.git", "it ends with \".git\""},
	};

	assert_null(name_fault("a.b"));
	for (size_t i = 0; i < COUNT(names); i++)
		assert_string_equal(name_fault(names[i].name), names[i].fault);
}

static void names_have_a_length(void **state)
{
	char name[NAME_ROOM + 1];

	memset(name, 'x', sizeof(name));
	name[NAME_MAX_LENGTH] = '\0';
	assert_true(name_is_valid(name));
	name[NAME_MAX_LENGTH] = 'x';
	name[NAME_MAX_LENGTH + 1] = '\0';
	assert_string_equal(name_fault(name), "it has more than 96 characters");
	assert_false(name_is_valid(name));
}

static void good_paths(void **state)
{
	static const char *const paths[] = {
		"app.py",
		"a/b/c.txt",
		".gitattributes",
		".gitignore",
		"a/.github/x",
		"...",
		"a b/c",
		"-rf",
		"x.git",
		".gitx/y",
		".git.x",
		"git~10",
		"git~1x/y",
		"\xc3\xa9t\xc3\xa9",
		"\xf0\x9f\x98\x80",
		"a/..b",
		"$(id)",
		"\xe2\x80\x8b",
	};

	for (size_t i = 0; i < COUNT(paths); i++) {
		if (!name_path_is_valid(paths[i]))
			fail_msg("refused %s", paths[i]);
	}
}

static void bad_paths(void **state)
{
	static const char *const paths[] = {
		"",
		"/",
		"/a",
		"a/",
		"a//b",
		".",
		"..",
		"../x",
		"a/../b",
		"a/..",
		"./a",
		"a/./b",
		".git",
		".git/config",
		"a/.GIT/x",
		".Git",
		"a/.gIt",
		"git~1/x",
		"a/GIT~1",
		".git. ./x",
		".git::$INDEX_ALLOCATION/x",
		".g\xe2\x80\x8cit/x",
		"\xef\xbb\xbf.git",
		"a\\b",
		"a\nb",
		"a\x01",
		"a\x7f",
		"\xc2\x85",
		"\xc0\xaf",
		"\xc1\xbf",
		"\xe0\x80\xaf",
		"\xed\xa0\x80",
		"\xf4\x90\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xff",
		"a\xc3",
		"\x80",
		"\xe2\x82",
		"\xe2\x82/",
		"\xf0\x9f\x98",
	};

	for (size_t i = 0; i < COUNT(paths); i++) {
		if (name_path_is_valid(paths[i]))
			fail_msg("accepted number %zu: %s", i, paths[i]);
	}
}

static void says_what_is_wrong_with_a_path(void **state)
{
	static const struct {
		const char *path;
		const char *fault;
	} paths[] = {
		{"", "it is empty"},
		{"/a", "it is absolute"},
		{"a//b", "it has an empty component"},
		{"a/", "it has an empty component"},
		{"./a", "it has a component \".\""},
		{"a/..", "it has a component \"..\""},
		{"a/.GIT/x", "it has a component that means \".git\""},
		{"a\\b", "it has a backslash"},
		{"a\nb", "it has a control character"},
		{"a\xff", "it is not UTF-8"},
	};

	assert_null(name_path_fault("a/b.txt"));
	for (size_t i = 0; i < COUNT(paths); i++)
		assert_string_equal(name_path_fault(paths[i].path), paths[i].fault);
}

static void paths_have_a_length(void **state)
{
	char path[NAME_PATH_MAX + 2];

	memset(path, 'x', sizeof(path));
	for (size_t i = 255; i < NAME_PATH_MAX; i += 256)
		path[i] = '/';
	path[NAME_PATH_MAX - 1] = 'x';
	path[NAME_PATH_MAX - 2] = '/';
	path[NAME_PATH_MAX] = '\0';
	assert_true(name_path_is_valid(path));
	path[NAME_PATH_MAX] = 'x';
	path[NAME_PATH_MAX + 1] = '\0';
	assert_false(name_path_is_valid(path));
}

static void names_of_files_have_a_length(void **state)
{
	char path[257];

	memset(path, 'x', sizeof(path));
	path[255] = '\0';
	assert_true(name_path_is_valid(path));
	path[255] = 'x';
	path[256] = '\0';
	assert_false(name_path_is_valid(path));
}

static void paths_have_a_depth(void **state)
{
	owned(str_done) struct str path = str_new(1000);

	for (int i = 1; i < 64; i++)
		str_add(&path, "d/");
	str_add(&path, "x");
	assert_true(name_path_is_valid(path.data));
	str_add(&path, "/x");
	assert_false(name_path_is_valid(path.data));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_names),
		cmocka_unit_test(bad_names),
		cmocka_unit_test(a_bad_name_is_told_its_rule),
		cmocka_unit_test(names_have_a_length),
		cmocka_unit_test(good_paths),
		cmocka_unit_test(bad_paths),
		cmocka_unit_test(says_what_is_wrong_with_a_path),
		cmocka_unit_test(paths_have_a_length),
		cmocka_unit_test(names_of_files_have_a_length),
		cmocka_unit_test(paths_have_a_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
