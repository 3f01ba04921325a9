#include "daemon/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void defaults_are_filled(void **state)
{
	owned(settings_done) struct settings settings = {0};

	settings_init(&settings);
	assert_int_equal(settings.listen.count, 2);
	assert_string_equal(settings.listen.items[0], "127.0.0.1:8080");
	assert_string_equal(settings.domain, "localhost");
	assert_int_equal(settings.front_hold_s, 30);
	assert_string_equal(settings.network_egress, "public");
}

static void a_file_replaces_defaults(void **state)
{
	owned(settings_done) struct settings settings = {0};
	struct err err = ERR_INIT;

	settings_init(&settings);
	assert_int_equal(settings_parse(&settings, "espace.conf",
					"# comment\n\n listen = 0.0.0.0:80\nlisten=[::]:80\n"
					"domain = spaces.example \nnetwork.egress = none\n",
					&err),
			 0);
	assert_int_equal(settings.listen.count, 2);
	assert_string_equal(settings.listen.items[0], "0.0.0.0:80");
	assert_string_equal(settings.listen.items[1], "[::]:80");
	assert_null(settings.listen.items[2]);
	assert_string_equal(settings.domain, "spaces.example");
	assert_string_equal(settings.network_egress, "none");
}

static void bad_lines_are_named(void **state)
{
	static const struct {
		const char *text;
		const char *part;
	} cases[] = {
		{"a\n", "espace.conf line 1: \"a\" is not of the form"},
		{"\nfly = 1\n", "line 2: there is no setting \"fly\""},
		{"front.hold = 601\n", "front.hold: \"601\" is no number from 0 to 600"},
		{"front.hold = 5s\n", "front.hold"},
		{"front.hold = \n", "front.hold"},
		{"front.hold = 99999999999999999999\n", "front.hold"},
		{"network.egress = yes\n", "is none of: public all none"},
		{"network.egress = publ\n", "is none of"},
		{"network.egress =\n", "is none of"},
		{"listen = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 "
		 "15 16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 "
		 "16 17\n",
		 "more than 64"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		owned(settings_done) struct settings settings = {0};
		struct err err = ERR_INIT;

		settings_init(&settings);
		assert_int_equal(settings_parse(&settings, "espace.conf", cases[i].text, &err), -1);
		assert_non_null(strstr(err.text, cases[i].part));
	}
}

/* Takes "--other VALUE". */
static int take_other(void *arg, int argc, char **argv, struct err *err)
{
	if (strcmp(argv[0], "--other"))
		return 0;
	*(const char **)arg = argv[1];
	return 2;
}

static void options_stop_at_the_first_word(void **state)
{
	owned(settings_done) struct settings settings = {0};
	char *argv[] = {"--front-hold",       "5",    "--other",  "thing",
			"--listen=1.2.3.4:5", "word", "--domain", "x"};
	const char *other = NULL;
	struct err err = ERR_INIT;
	int used;

	settings_init(&settings);
	assert_int_equal(settings_options(&settings, 8, argv, take_other, &other, &used, &err), 0);
	assert_int_equal(used, 5);
	assert_int_equal(settings.front_hold_s, 5);
	assert_string_equal(other, "thing");
	assert_int_equal(settings.listen.count, 1);
	assert_string_equal(settings.domain, "localhost");
}

static void unknown_or_unfinished_options_are_errors(void **state)
{
	owned(settings_done) struct settings settings = {0};
	char *unknown[] = {"--fly", "1"};
	char *unfinished[] = {"--domain"};
	const char *other = NULL;
	struct err err = ERR_INIT;
	int used;

	settings_init(&settings);
	assert_int_equal(settings_options(&settings, 2, unknown, take_other, &other, &used, &err),
			 -1);
	assert_non_null(strstr(err.text, "--fly"));
	assert_int_equal(
		settings_options(&settings, 1, unfinished, take_other, &other, &used, &err), -1);
	assert_non_null(strstr(err.text, "--domain needs a value"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_filled),
		cmocka_unit_test(a_file_replaces_defaults),
		cmocka_unit_test(bad_lines_are_named),
		cmocka_unit_test(options_stop_at_the_first_word),
		cmocka_unit_test(unknown_or_unfinished_options_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
