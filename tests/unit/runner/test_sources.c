#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/sources.h"

static void assert_deb822(const char *text, const char *expected)
{
	owned(str_done) struct str out = str_new(4096);

	sources_add_deb822(text, "bookworm", &out);
	assert_string_equal(out.data, expected);
}

static void assert_list(const char *text, const char *expected)
{
	owned(str_done) struct str out = str_new(4096);

	sources_add_list(text, "bookworm", &out);
	assert_string_equal(out.data, expected);
}

static void the_suites_of_the_distribution_are_kept(void **state)
{
	assert_deb822("Types: deb deb-src\n# a comment\nURIs: http://mirror.example/debian\n"
		      "Suites: bookworm bookworm-updates bookworm-backports\n"
		      "Components: main extra\nSigned-By: /usr/share/keyrings/x.gpg\n",
		      "Types: deb\nSuites: bookworm bookworm-updates\nComponents: main\n"
		      "URIs: http://mirror.example/debian\n"
		      "Signed-By: /usr/share/keyrings/x.gpg\n\n");
}

static void values_may_go_on_in_the_next_line(void **state)
{
	assert_deb822("Types: deb\nURIs: http://mirror.example/\nSuites:\n bookworm\n"
		      " bookworm-security\nComponents: main\nSigned-By:\n -----BEGIN\n .\n mQ==\n",
		      "Types: deb\nSuites: bookworm bookworm-security\nComponents: main\n"
		      "URIs: http://mirror.example/\nSigned-By:\n -----BEGIN\n .\n mQ==\n\n");
}

static void what_others_serve_is_left_out(void **state)
{
	assert_deb822(
		"Types: deb\nURIs: https://other.example/\nSuites: nodistro\nComponents: main\n",
		"");
	assert_deb822(
		"Types: deb\nURIs: https://other.example/\nSuites: bookworm\nComponents: stable\n",
		"");
	assert_deb822(
		"Types: deb-src\nURIs: http://m.example/\nSuites: bookworm\nComponents: main\n",
		"");
	assert_deb822("Enabled: no\nTypes: deb\nURIs: http://m.example/\nSuites: bookworm\n"
		      "Components: main\n",
		      "");
}

static void stanzas_are_apart(void **state)
{
	assert_deb822("Types: deb\nURIs: http://a/\nSuites: sid\nComponents: main\n \n\n"
		      "Types: deb\nURIs: http://b/\nSuites: bookworm\nComponents: main\n",
		      "Types: deb\nSuites: bookworm\nComponents: main\nURIs: http://b/\n\n");
}

static void lines_are_cut_to_what_fits(void **state)
{
	assert_list("# deb http://x/ bookworm main\n"
		    "deb [signed-by=/k arch=amd64] http://a/ bookworm main other # why\n"
		    "deb http://b/ bookworm-backports main\n"
		    "deb-src http://c/ bookworm main\n"
		    "deb http://d/ bookworm stable\n"
		    "deb http://e/ bookworm-security main non-free",
		    "deb [signed-by=/k arch=amd64] http://a/ bookworm main\n"
		    "deb http://e/ bookworm-security main non-free\n");
	assert_list("deb\ndeb \ndeb [\ndeb [x] \ndeb http://a/\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_suites_of_the_distribution_are_kept),
		cmocka_unit_test(values_may_go_on_in_the_next_line),
		cmocka_unit_test(what_others_serve_is_left_out),
		cmocka_unit_test(stanzas_are_apart),
		cmocka_unit_test(lines_are_cut_to_what_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
