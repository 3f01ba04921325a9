#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/media.h"

static void serves_nothing_that_a_browser_would_run(void **state)
{
	static const char *const pages[] = {"a.html", "A.HTML", "a.htm", "a.xhtml",     "a.svg",
					    "a.xml",  "a.js",   "a.mjs", "x/index.html"};

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		assert_string_equal(media_type(pages[i]), "text/plain; charset=utf-8");
	assert_string_equal(media_type("w.bin"), "application/octet-stream");
	assert_string_equal(media_type("a.d/noextension"), "application/octet-stream");
	assert_string_equal(media_type("sub/.gitattributes"), "text/plain; charset=utf-8");
	assert_string_equal(media_type("a.png"), "image/png");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves_nothing_that_a_browser_would_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
