#include "repo/sizes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static git_oid id(const char *hex)
{
	git_oid out;

	assert_int_equal(git_oid_fromstr(&out, hex), 0);
	return out;
}

static void knows_what_it_was_told(void **state)
{
	owned(sizes_free) struct sizes *sizes = sizes_new();
	git_oid one = id("1111111111111111111111111111111111111111");
	git_oid two = id("2222222222222222222222222222222222222222");
	size_t size = 7;

	assert_false(sizes_find(sizes, &one, &size));
	assert_int_equal(size, 7);
	sizes_keep(sizes, &one, 100);
	sizes_keep(sizes, &two, 0);
	assert_true(sizes_find(sizes, &one, &size));
	assert_int_equal(size, 100);
	assert_true(sizes_find(sizes, &two, &size));
	assert_int_equal(size, 0);
}

static void an_id_in_the_same_place_is_another_one(void **state)
{
	owned(sizes_free) struct sizes *sizes = sizes_new();
	git_oid one = id("1111111111111111111111111111111111111111");
	git_oid same_place = id("1111111122222222222222222222222222222222");
	size_t size;

	sizes_keep(sizes, &one, 100);
	assert_false(sizes_find(sizes, &same_place, &size));
	sizes_keep(sizes, &same_place, 200);
	assert_false(sizes_find(sizes, &one, &size));
	assert_true(sizes_find(sizes, &same_place, &size));
	assert_int_equal(size, 200);
}

static void a_free_place_is_no_size(void **state)
{
	owned(sizes_free) struct sizes *sizes = sizes_new();
	git_oid zero = id("0000000000000000000000000000000000000000");
	size_t size;

	assert_false(sizes_find(sizes, &zero, &size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_what_it_was_told),
		cmocka_unit_test(an_id_in_the_same_place_is_another_one),
		cmocka_unit_test(a_free_place_is_no_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
