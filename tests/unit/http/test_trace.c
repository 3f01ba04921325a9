#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/trace.h"

enum { ROOT_LENGTH = 5 + 2 + 8 + 1 + 24 };

static void has_the_form_that_clients_know(void **state)
{
	char id[TRACE_ROOM];

	trace_make("0b8b4fbb-4c3f-4c6a-9ee5-ec8a3f9f1c55", id);
	assert_memory_equal(id, "Root=1-", 7);
	assert_int_equal(strspn(id + 7, "0123456789abcdef"), 8);
	assert_int_equal(id[15], '-');
	assert_int_equal(strspn(id + 16, "0123456789abcdef"), 24);
	assert_string_equal(id + ROOT_LENGTH, ";0b8b4fbb-4c3f-4c6a-9ee5-ec8a3f9f1c55");
}

static void differs_each_time(void **state)
{
	char one[TRACE_ROOM], other[TRACE_ROOM];

	trace_make(NULL, one);
	trace_make(NULL, other);
	assert_int_equal(strlen(one), ROOT_LENGTH);
	assert_string_not_equal(one, other);
}

static void keeps_what_is_harmless_of_a_client(void **state)
{
	char id[TRACE_ROOM], lengthy[1000];

	trace_make("a\r\nSet-Cookie: b=\"c\"\x7f\xc3\xa9", id);
	assert_string_equal(id + ROOT_LENGTH, ";aSet-Cookie:b=c");
	trace_make("\r\n", id);
	assert_int_equal(strlen(id), ROOT_LENGTH);

	memset(lengthy, 'x', sizeof(lengthy));
	lengthy[sizeof(lengthy) - 1] = '\0';
	trace_make(lengthy, id);
	assert_int_equal(strlen(id), ROOT_LENGTH + 1 + TRACE_CLIENT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_form_that_clients_know),
		cmocka_unit_test(differs_each_time),
		cmocka_unit_test(keeps_what_is_harmless_of_a_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
