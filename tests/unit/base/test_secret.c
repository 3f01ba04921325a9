#include "test.h"

#include <string.h>

#include "base/secret.h"

static void bytes_are_kept_with_a_nul(void **state)
{
	owned(secret_free) struct secret *secret = secret_new("a\0bX", 3);

	assert_int_equal(secret_length(secret), 3);
	assert_memory_equal(secret_bytes(secret), "a\0b", 4);
}

static void only_the_same_bytes_are_equal(void **state)
{
	owned(secret_free) struct secret *secret = secret_new("hf_abc", 6);

	assert_true(secret_equals(secret, "hf_abc", 6));
	assert_false(secret_equals(secret, "hf_abd", 6));
	assert_false(secret_equals(secret, "hf_ab", 5));
	assert_false(secret_equals(secret, "hf_abc", 7));
	assert_false(secret_equals(secret, "", 0));
}

static void an_empty_one_is_allowed(void **state)
{
	owned(secret_free) struct secret *secret = secret_new("", 0);

	assert_true(secret_equals(secret, "", 0));
	assert_string_equal(secret_bytes(secret), "");
	secret_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_kept_with_a_nul),
		cmocka_unit_test(only_the_same_bytes_are_equal),
		cmocka_unit_test(an_empty_one_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
