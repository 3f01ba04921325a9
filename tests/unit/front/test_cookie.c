#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "front/cookie.h"

enum { ROOM = 256, OURS_ROOM = 16 };

static const struct {
	const char *header;
	const char *rest; /* what an app gets */
	const char *ours;
} cases[] = {
	{"a=b", "a=b", ""},
	{"a=b; c=d;e", "a=b; c=d; e", ""},
	{"__Host-espace=x", "", "x"},
	{"a=b; __Host-espace=x; c=d", "a=b; c=d", "x"},
	{"espace-visit=y", "", "y"},
	/* more than one, which no browser sends */
	{"__Host-espace=x; a=b; __Host-espace=y;espace-visit=z", "a=b", "x y z"},
	/* spelled oddly */
	{"__HOST-Espace=x; a=b", "a=b", "x"},
	{"\t__Host-espace =x ;a=b ", "a=b", "x"},
	{"__Host-espace; a=b", "a=b", ""},
	{"__Host-espace=; a=b", "a=b", ""},
	{"__Host-espace=a=b", "", "a=b"},
	{";;a=b; ;", "a=b", ""},
	/* not ours */
	{"x__Host-espace=x; __Host-espacex=y", "x__Host-espace=x; __Host-espacex=y", ""},
	{"a=__Host-espace=x", "a=__Host-espace=x", ""},
	{"=__Host-espace", "=__Host-espace", ""},
	/* longer than there is room for */
	{"__Host-espace=0123456789abcdef; espace-visit=z", "", "z"},
	{"", "", ""},
};

static void takes_ours_and_leaves_the_rest(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char rest[ROOM] = "", ours[OURS_ROOM + 1] = "";
		size_t length = strlen(cases[i].header);

		rest[cookie_rest(cases[i].header, length, rest)] = '\0';
		ours[cookie_ours(cases[i].header, length, ours, OURS_ROOM)] = '\0';
		assert_string_equal(rest, cases[i].rest);
		assert_string_equal(ours, cases[i].ours);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_ours_and_leaves_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
