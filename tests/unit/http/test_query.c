#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/http.h"
#include "http/query.h"

static int parse(const char *text, struct query *out, struct err *err)
{
	return query_parse(text, strlen(text), QUERY_MAX_FIELDS, out, err);
}

static void assert_refused(const char *text, enum err_kind kind)
{
	struct query query = QUERY_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(parse(text, &query, &err), -1);
	assert_int_equal(err.kind, kind);
	assert_null(query.fields);
}

static void finds_the_first_value_decoded(void **state)
{
	owned(query_done) struct query query = QUERY_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(parse("a=1%202+3&b=&a=x&flag&c=%C3%A9=%3D", &query, &err), 0);
	assert_string_equal(query_first(&query, "a"), "1 2 3");
	assert_string_equal(query_first(&query, "b"), "");
	assert_string_equal(query_first(&query, "flag"), "");
	assert_string_equal(query_first(&query, "c"), "\xc3\xa9==");
	assert_null(query_first(&query, "d"));
}

static void arrays_may_be_spelled_in_every_way(void **state)
{
	owned(query_done) struct query query = QUERY_INIT;
	struct err err = ERR_INIT;
	const char *values[4];

	assert_int_equal(parse("expand=a&expand[]=b&x=1&expand%5B%5D=c", &query, &err), 0);
	assert_int_equal(query_all(&query, "expand", values, 4), 3);
	assert_string_equal(values[0], "a");
	assert_string_equal(values[1], "b");
	assert_string_equal(values[2], "c");
	assert_int_equal(query_all(&query, "expand", values, 2), 2);
}

static void nothing_is_nothing(void **state)
{
	owned(query_done) struct query query = QUERY_INIT;
	owned(query_done) struct query empty_fields = QUERY_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(parse("", &query, &err), 0);
	assert_int_equal(query.count, 0);
	assert_int_equal(parse("&&&", &empty_fields, &err), 0);
	assert_int_equal(empty_fields.count, 0);
}

static void refuses_broken_encodings(void **state)
{
	assert_refused("a=%", ERR_INVALID);
	assert_refused("a=%2", ERR_INVALID);
	assert_refused("a=%zz", ERR_INVALID);
	assert_refused("a=%00", ERR_INVALID);
	assert_refused("%g1=a", ERR_INVALID);
	assert_refused("a=%ff", ERR_INVALID);
	assert_refused("a=%ed%a0%80", ERR_INVALID);
}

static void refuses_a_nul_byte(void **state)
{
	struct query query = QUERY_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(query_parse("a=b\0c", 5, 10, &query, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void limits_the_number_of_fields(void **state)
{
	owned(str_done) struct str text = str_new(HTTP_TARGET_MAX);
	owned(query_done) struct query query = QUERY_INIT;
	struct err err = ERR_INIT;

	for (int i = 0; i < QUERY_MAX_FIELDS; i++)
		str_add(&text, i ? "&a=1" : "a=1");
	assert_int_equal(parse(text.data, &query, &err), 0);
	assert_int_equal(query.count, QUERY_MAX_FIELDS);
	str_add(&text, "&a=1");
	assert_refused(text.data, ERR_TOO_LARGE);
}

static void decodes_in_place(void **state)
{
	char path[] = "a%2Fb+c%41";
	char form[] = "a+b";
	char cut[] = "%4";

	assert_true(http_decode(path, false));
	assert_string_equal(path, "a/b+cA");
	assert_true(http_decode(form, true));
	assert_string_equal(form, "a b");
	assert_false(http_decode(cut, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_first_value_decoded),
		cmocka_unit_test(arrays_may_be_spelled_in_every_way),
		cmocka_unit_test(nothing_is_nothing),
		cmocka_unit_test(refuses_broken_encodings),
		cmocka_unit_test(refuses_a_nul_byte),
		cmocka_unit_test(limits_the_number_of_fields),
		cmocka_unit_test(decodes_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
