#include "test.h"

#include <string.h>

#include "base/hash.h"

/* FIPS 180-4 example, and the empty text. */
static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char none[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static void known_digests(void **state)
{
	char hex[HASH_HEX];

	hash_hex("abc", 3, hex);
	assert_string_equal(hex, abc);
	hash_hex("", 0, hex);
	assert_string_equal(hex, none);
}

static void pieces_make_the_same_digest(void **state)
{
	owned(hash_free) struct hash *hash = hash_new();
	char hex[HASH_HEX];

	hash_add(hash, "a", 1);
	hash_add(hash, "", 0);
	hash_add(hash, "bc", 2);
	hash_end(hash, hex);
	assert_string_equal(hex, abc);
}

static void fields_do_not_run_together(void **state)
{
	owned(hash_free) struct hash *one = hash_new();
	owned(hash_free) struct hash *two = hash_new();
	char a[HASH_HEX], b[HASH_HEX];

	hash_add_field(one, "ab");
	hash_add_field(one, "c");
	hash_end(one, a);
	hash_add_field(two, "a");
	hash_add_field(two, "bc");
	hash_end(two, b);
	assert_string_not_equal(a, b);
}

static void hex_is_lower_case(void **state)
{
	char hex[9];

	hex_write("\x00\xff\x1a\xB2", 4, hex);
	assert_string_equal(hex, "00ff1ab2");
	hex_write("", 0, hex);
	assert_string_equal(hex, "");
}

static void hex_is_told_from_other_text(void **state)
{
	assert_true(hex_is("0123456789abcdef", 16));
	assert_true(hex_is("", 0));
	assert_false(hex_is("0123", 3));
	assert_false(hex_is("0123", 5));
	assert_false(hex_is("012F", 4));
	assert_false(hex_is("012g", 4));
	assert_false(hex_is("../x", 4));
}

static void ids_are_hex_and_differ(void **state)
{
	char a[ID_HEX], b[ID_HEX];

	random_id(a);
	random_id(b);
	assert_true(hex_is(a, ID_HEX - 1));
	assert_true(hex_is(b, ID_HEX - 1));
	assert_string_not_equal(a, b);
}

static void random_fills_all_and_no_more(void **state)
{
	unsigned char bytes[1002] = {0};
	unsigned zeros = 0;

	random_bytes(bytes + 1, 1000);
	for (size_t i = 1; i <= 1000; i++)
		zeros += bytes[i] == 0;
	assert_true(zeros < 100); /* 4 are expected */
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[1001], 0);
}

static void free_takes_null(void **state)
{
	hash_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_digests),
		cmocka_unit_test(pieces_make_the_same_digest),
		cmocka_unit_test(fields_do_not_run_together),
		cmocka_unit_test(hex_is_lower_case),
		cmocka_unit_test(hex_is_told_from_other_text),
		cmocka_unit_test(ids_are_hex_and_differ),
		cmocka_unit_test(random_fills_all_and_no_more),
		cmocka_unit_test(free_takes_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
