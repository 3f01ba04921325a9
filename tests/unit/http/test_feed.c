#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/feed.h"

static unsigned wakes;

static void count_wake(void *arg, struct feed *feed)
{
	assert_ptr_equal(arg, &wakes);
	wakes++;
}

static int setup(void **state)
{
	*state = feed_new();
	wakes = 0;
	return 0;
}

static int teardown(void **state)
{
	feed_unref(*state);
	return 0;
}

static void assert_reads(struct feed *feed, size_t max, const char *expected)
{
	char room[64];
	size_t length = 0;

	assert_int_equal(feed_read(feed, room, max, &length), FEED_DATA);
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(room, expected, length);
}

static enum feed_state state_of(struct feed *feed)
{
	char room[FEED_MAX_BYTES];
	size_t length;

	return feed_read(feed, room, sizeof(room), &length);
}

static void gives_out_what_was_added_in_order(void **state)
{
	struct feed *feed = *state;

	assert_int_equal(state_of(feed), FEED_WAIT);
	feed_add(feed, "data: 1\n\n");
	feed_add(feed, "data: 2\n\n");
	assert_reads(feed, 6, "data: ");
	assert_reads(feed, 64, "1\n\ndata: 2\n\n");
	assert_int_equal(state_of(feed), FEED_WAIT);
}

static void ends_behind_what_was_added(void **state)
{
	struct feed *feed = *state;

	feed_add(feed, "data: 1\n\n");
	feed_end(feed);
	feed_add(feed, "data: too late\n\n");
	assert_reads(feed, 64, "data: 1\n\n");
	assert_int_equal(state_of(feed), FEED_END);
}

static void wakes_who_listens_until_it_leaves(void **state)
{
	struct feed *feed = *state;

	feed_add(feed, "data: 1\n\n");
	feed_listen(feed, count_wake, &wakes);
	assert_int_equal(wakes, 0);
	feed_add(feed, "data: 2\n\n");
	assert_int_equal(wakes, 1);
	assert_false(feed_is_left(feed));
	feed_leave(feed);
	assert_true(feed_is_left(feed));
	feed_add(feed, "data: 3\n\n");
	feed_end(feed);
	assert_int_equal(wakes, 1);
}

static void who_lags_behind_is_cut(void **state)
{
	struct feed *feed = *state;
	size_t count = 0;

	while (count < FEED_MAX_BYTES) {
		feed_add(feed, "data: 1\n\n");
		count += strlen("data: 1\n\n");
	}
	assert_int_equal(state_of(feed), FEED_CUT);
	feed_end(feed);
	assert_int_equal(state_of(feed), FEED_CUT);
}

static void lives_as_long_as_one_of_both(void **state)
{
	struct feed *feed = feed_ref(*state);

	feed_unref(feed);
	feed_add(*state, "data: 1\n\n");
	assert_reads(*state, 64, "data: 1\n\n");
	feed_unref(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(gives_out_what_was_added_in_order), TEST(ends_behind_what_was_added),
		TEST(wakes_who_listens_until_it_leaves), TEST(who_lags_behind_is_cut),
		TEST(lives_as_long_as_one_of_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
