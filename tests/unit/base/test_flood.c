#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/flood.h"

static unsigned pass(struct flood *flood, const char *event, unsigned lines, int64_t now_ms)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < lines; i++)
		passed += flood_pass(flood, event, now_ms);
	return passed;
}

static void an_event_passes_so_many_times_in_a_window(void **state)
{
	struct flood flood = {.count = 0};

	assert_int_equal(pass(&flood, "store.full", FLOOD_LINES + 5, 1000), FLOOD_LINES);
	assert_int_equal(pass(&flood, "store.full", 3, 1000 + FLOOD_WINDOW_MS - 1), 0);
	assert_int_equal(pass(&flood, "space.stop", 1, 1000),
			 1); /* another one is not its matter */
}

static void what_was_held_back_is_told_once_when_the_window_is_over(void **state)
{
	struct flood flood = {.count = 0};
	unsigned lines = 0;

	pass(&flood, "a.quiet", FLOOD_LINES, 0);
	pass(&flood, "b.loud", FLOOD_LINES + 7, 0);
	assert_null(flood_held(&flood, FLOOD_WINDOW_MS - 1, &lines));
	assert_string_equal(flood_held(&flood, FLOOD_WINDOW_MS, &lines), "b.loud");
	assert_int_equal(lines, 7);
	assert_null(flood_held(&flood, FLOOD_WINDOW_MS, &lines));
	assert_int_equal(pass(&flood, "b.loud", FLOOD_LINES + 1, FLOOD_WINDOW_MS), FLOOD_LINES);
}

static void a_count_that_was_not_told_is_not_lost(void **state)
{
	struct flood flood = {.count = 0};
	unsigned lines = 0;

	pass(&flood, "b.loud", FLOOD_LINES + 7, 0);
	assert_int_equal(pass(&flood, "b.loud", 1, FLOOD_WINDOW_MS), 0);
	assert_string_equal(flood_held(&flood, FLOOD_WINDOW_MS, &lines), "b.loud");
	assert_int_equal(lines, 8);
}

static void many_events_take_turns_in_the_table(void **state)
{
	static char names[2 * FLOOD_EVENTS][16];
	struct flood flood = {.count = 0};

	for (unsigned i = 0; i < 2 * FLOOD_EVENTS; i++) {
		snprintf(names[i], sizeof(names[i]), "event.%u", i);
		assert_int_equal(pass(&flood, names[i], FLOOD_LINES, 0), FLOOD_LINES);
	}
	/* There was no entry for it: it passes. */
	assert_true(flood_pass(&flood, names[FLOOD_EVENTS], 1));
	/* There is one now. */
	assert_int_equal(pass(&flood, "late.one", FLOOD_LINES + 1, FLOOD_WINDOW_MS), FLOOD_LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_passes_so_many_times_in_a_window),
		cmocka_unit_test(what_was_held_back_is_told_once_when_the_window_is_over),
		cmocka_unit_test(a_count_that_was_not_told_is_not_lost),
		cmocka_unit_test(many_events_take_turns_in_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
