#include "base/kept.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void put(struct kept *kept, const char *key, const char *text)
{
	kept_unref(kept_put(kept, key, mem_text(text), strlen(text)));
}

static bool has(struct kept *kept, const char *key, const char *text)
{
	owned(kept_unref) struct kept_text *found = kept_find(kept, key);

	return found && found->length == strlen(text) &&
	       memcmp(found->bytes, text, found->length) == 0;
}

static void finds_what_was_put(void **state)
{
	owned(kept_free) struct kept *kept = kept_new(100000);

	put(kept, "a", "one");
	put(kept, "b", "two");
	assert_true(has(kept, "a", "one"));
	assert_true(has(kept, "b", "two"));
	assert_null(kept_find(kept, "c"));
	assert_null(kept_find(kept, ""));
}

static void a_second_text_of_a_key_takes_the_place_of_the_first(void **state)
{
	owned(kept_free) struct kept *kept = kept_new(100000);

	put(kept, "a", "one");
	put(kept, "a", "another");
	assert_true(has(kept, "a", "another"));
}

static void the_longest_unasked_goes_first(void **state)
{
	owned(kept_free) struct kept *kept = kept_new(16000);
	char key[32];

	put(kept, "first", "kept by asking");
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		put(kept, key, "text");
		assert_true(has(kept, key, "text"));
		assert_true(has(kept, "first", "kept by asking"));
	}
	assert_null(kept_find(kept, "key 0"));
	assert_null(kept_find(kept, "key 500"));
	assert_true(has(kept, "key 998", "text"));
}

static void a_huge_text_is_returned_and_drives_nothing_out(void **state)
{
	owned(kept_free) struct kept *kept = kept_new(8000);
	char *huge = mem_alloc(2000);

	put(kept, "small", "text");
	memset(huge, 'x', 2000);
	owned(kept_unref) struct kept_text *text = kept_put(kept, "huge", huge, 2000);
	assert_int_equal(text->length, 2000);
	assert_int_equal(text->bytes[1999], 'x');
	assert_null(kept_find(kept, "huge"));
	assert_true(has(kept, "small", "text"));
}

static void a_text_in_use_outlives_its_place_and_the_cache(void **state)
{
	struct kept *kept = kept_new(16000);
	struct kept_text *text = kept_put(kept, "key", mem_text("bytes"), 5);

	put(kept, "key", "other bytes");
	kept_free(kept);
	assert_memory_equal(text->bytes, "bytes", 5);
	kept_unref(text);
}

/* Each text is its own key: whoever finds another one fails. */
static void *use(void *arg)
{
	struct kept *kept = arg;
	uintptr_t wrong = 0;
	char key[16];

	for (unsigned i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "%u", i * 7919 % 100);
		owned(kept_unref) struct kept_text *text = kept_find(kept, key);

		if (!text)
			text = kept_put(kept, key, mem_text(key), strlen(key));
		wrong += text->length != strlen(key) || memcmp(text->bytes, key, text->length) != 0;
	}
	return (void *)wrong;
}

static void threads_find_whole_texts_under_their_own_keys(void **state)
{
	owned(kept_free) struct kept *kept = kept_new(6000);
	pthread_t threads[4];
	void *wrong;

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, kept), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_put),
		cmocka_unit_test(a_second_text_of_a_key_takes_the_place_of_the_first),
		cmocka_unit_test(the_longest_unasked_goes_first),
		cmocka_unit_test(a_huge_text_is_returned_and_drives_nothing_out),
		cmocka_unit_test(a_text_in_use_outlives_its_place_and_the_cache),
		cmocka_unit_test(threads_find_whole_texts_under_their_own_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
