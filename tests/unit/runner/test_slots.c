#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/slots.h"

static unsigned take_kind(struct slots *slots, bool closed, int64_t now_ms)
{
	struct err err = ERR_INIT;
	unsigned slot = 0;

	return slots_take(slots, closed, now_ms, &slot, &err) < 0 ? 0 : slot;
}

static unsigned take_slot(struct slots *slots, int64_t now_ms)
{
	return take_kind(slots, false, now_ms);
}

static void slots_go_round(void **state)
{
	owned(slots_free) struct slots *slots = slots_new(0);

	assert_int_equal(take_slot(slots, 0), SLOTS_FIRST);
	assert_int_equal(take_slot(slots, 0), SLOTS_FIRST + 1);
	slots_release(slots, SLOTS_FIRST, 0);
	assert_int_equal(take_slot(slots, SLOTS_REST_MS), SLOTS_FIRST + 2);
}

static void a_new_process_goes_on_behind_the_last(void **state)
{
	owned(slots_free) struct slots *slots = slots_new(100);
	owned(slots_free) struct slots *wrapped = slots_new(SLOTS_CLOSED_FIRST - 1);

	slots_hold(slots, 101);
	assert_int_equal(take_slot(slots, 0), 102);
	assert_int_equal(take_slot(wrapped, 0), SLOTS_FIRST);
}

static void a_released_slot_rests(void **state)
{
	owned(slots_free) struct slots *slots = slots_new(0);

	for (unsigned i = SLOTS_FIRST; i < SLOTS_CLOSED_FIRST; i++)
		assert_int_equal(take_slot(slots, 0), i);
	assert_int_equal(take_slot(slots, 0), 0);
	slots_release(slots, 77, 1000);
	assert_int_equal(take_slot(slots, 1000 + SLOTS_REST_MS - 1), 0);
	assert_int_equal(take_slot(slots, 1000 + SLOTS_REST_MS), 77);
}

static void closed_runs_have_the_last_quarter(void **state)
{
	owned(slots_free) struct slots *slots = slots_new(SLOTS_LAST - 1);

	assert_int_equal(take_kind(slots, true, 0), SLOTS_LAST);
	for (unsigned i = SLOTS_CLOSED_FIRST; i < SLOTS_LAST; i++)
		assert_int_equal(take_kind(slots, true, 0), i);
	assert_int_equal(take_kind(slots, true, 0), 0);
	assert_int_equal(take_slot(slots, 0), SLOTS_FIRST);
}

static void a_number_out_of_range_is_ignored(void **state)
{
	owned(slots_free) struct slots *slots = slots_new(UINT32_MAX);

	slots_hold(slots, UINT32_MAX);
	slots_release(slots, 0, 0);
	assert_int_equal(take_slot(slots, 0), SLOTS_FIRST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_go_round),
		cmocka_unit_test(a_new_process_goes_on_behind_the_last),
		cmocka_unit_test(a_released_slot_rests),
		cmocka_unit_test(closed_runs_have_the_last_quarter),
		cmocka_unit_test(a_number_out_of_range_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
