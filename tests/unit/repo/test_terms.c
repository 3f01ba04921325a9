#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "repo/terms.h"

static void a_text_has_one_number(void **state)
{
	owned(terms_free) struct terms *terms = terms_new();
	uint32_t mit = terms_hold(terms, "license:mit", 11);
	uint32_t found;

	assert_int_equal(terms_hold(terms, "license:mit and more", 11), mit);
	assert_int_not_equal(terms_hold(terms, "license:mi", 10), mit);
	assert_true(terms_find(terms, "license:mit", &found));
	assert_int_equal(found, mit);
	assert_string_equal(terms_text(terms, mit), "license:mit");
	assert_false(terms_find(terms, "license:", &found));
}

static void a_text_goes_with_its_last_holder(void **state)
{
	owned(terms_free) struct terms *terms = terms_new();
	uint32_t a = terms_hold(terms, "a", 1);
	uint32_t found;

	terms_hold(terms, "a", 1);
	terms_drop(terms, a);
	assert_true(terms_find(terms, "a", &found));
	terms_drop(terms, a);
	assert_false(terms_find(terms, "a", &found));
	assert_null(terms_text(terms, a));
	assert_int_equal(terms_hold(terms, "b", 1), a);
	assert_int_equal(terms_end(terms), 1);
}

static void many_texts_are_found_again(void **state)
{
	owned(terms_free) struct terms *terms = terms_new();
	uint32_t found;
	char text[16];

	for (unsigned i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "tag-%u", i);
		assert_int_equal(terms_hold(terms, text, strlen(text)), i);
	}
	for (unsigned i = 0; i < 5000; i += 2)
		terms_drop(terms, i);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "tag-%u", i);
		assert_int_equal(terms_find(terms, text, &found), i % 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_has_one_number),
		cmocka_unit_test(a_text_goes_with_its_last_holder),
		cmocka_unit_test(many_texts_are_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
