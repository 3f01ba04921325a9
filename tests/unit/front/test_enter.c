#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "front/enter.h"

static const struct {
	const char *uri;
	const char *sign;
	const char *clean;
} cases[] = {
	{"/", "", "/"},
	{"/?__sign=x", "x", "/"},
	{"/a/b?c=d&__sign=x&e", "x", "/a/b?c=d&e"},
	{"/?__sign=x&c=d", "x", "/?c=d"},
	{"/?c=d&__sign=x", "x", "/?c=d"},
	{"/?__sign=x&__sign=y", "x", "/"},
	{"/?%5F%5fsign=x", "x", "/"},
	{"/?a&%5f_s%69gn=a%2Db%5fc&b", "a-b_c", "/?a&b"},
	{"/?__sign=%", "%", "/"},
	{"/?__sign=a%2", "a%2", "/"},
	{"/?__sig%6", "", "/?__sig%6"},
	{"/?__sig%00n=x", "", "/?__sig%00n=x"},
	{"/?%5F%5Fsign%3Dx", "", "/?%5F%5Fsign%3Dx"},
	{"/?__sign", "", "/"},
	{"/?__sign=&a", "", "/?a"},
	{"/?__signed=x", "", "/?__signed=x"},
	{"/?a__sign=x", "", "/?a__sign=x"},
	{"/__sign=x", "", "/__sign=x"},
	{"/?a?__sign=x", "", "/?a?__sign=x"},
	{"/?", "", "/?"},
	{"/?&&", "", "/?&&"},
	{"", "", ""},
};

static void finds_the_sign_and_takes_it_out(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *sign = enter_sign(cases[i].uri);
		char *clean = enter_clean(cases[i].uri);

		assert_string_equal(sign ? sign : "", cases[i].sign);
		assert_string_equal(clean, cases[i].clean);
		free(sign);
		free(clean);
	}
}

static void assert_cookie(const char *origin, const char *wanted)
{
	char *cookie = enter_cookie(origin, "v");

	assert_string_equal(cookie, wanted);
	free(cookie);
}

static void a_cookie_is_as_safe_as_the_browser_lets_it_be(void **state)
{
	static const char safe[] = "__Host-espace=v; Path=/; HttpOnly; SameSite=Lax; Secure";
	static const char plain[] = "espace-visit=v; Path=/; HttpOnly; SameSite=Lax";

	assert_cookie("https://me-demo.example.org", safe);
	assert_cookie("http://me-demo.localhost:8080", safe);
	assert_cookie("http://localhost", safe);
	assert_cookie("http://me-demo.example.org", plain);
	assert_cookie("http://notlocalhost:8080", plain);
	assert_cookie("http://localhost.example.org:8080", plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_sign_and_takes_it_out),
		cmocka_unit_test(a_cookie_is_as_safe_as_the_browser_lets_it_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
