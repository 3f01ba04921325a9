#include "daemon/options.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"

static void options_win_over_the_file(void **state)
{
	char folder[] = "/tmp/espace-options-XXXXXX";
	owned(options_done) struct options options = {0};
	owned(free) char *path = NULL;
	const char conf[] = "domain = file.example\nfront.hold = 7\n";
	char *argv[] = {"espaced", "--data", folder, "--domain", "option.example",
			"token",   "add",    "me",   "--role",   "read"};
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(folder));
	path = mem_format("%s/espace.conf", folder);
	assert_int_equal(file_write(AT_FDCWD, path, conf, strlen(conf), 0600, &err), 0);
	assert_int_equal(options_parse(10, argv, &options, &err), 0);
	assert_string_equal(options.data, folder);
	assert_string_equal(options.settings.domain, "option.example");
	assert_int_equal(options.settings.front_hold_s, 7);
	assert_int_equal(options.rest_count, 5);
	assert_string_equal(options.rest[0], "token");
	assert_string_equal(options.words_before[3], "option.example");
	assert_null(options.words_before[4]);
	assert_int_equal(file_remove_tree(AT_FDCWD, folder, &err), 0);
}

static void a_missing_directory_has_no_file_to_read(void **state)
{
	owned(options_done) struct options options = {0};
	char *argv[] = {"espaced", "--data=/nonexistent/espace", "--help"};
	struct err err = ERR_INIT;

	assert_int_equal(options_parse(3, argv, &options, &err), 0);
	assert_true(options.help);
	assert_int_equal(options.rest_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_win_over_the_file),
		cmocka_unit_test(a_missing_directory_has_no_file_to_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
