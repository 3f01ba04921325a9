#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "space/flavors.h"
#include "space/hardware.h"

static struct hardware *first(unsigned cpus, uint64_t memory_bytes)
{
	owned(free) char *yaml = flavors_yaml(cpus, memory_bytes);
	struct hardware *hardware = NULL;
	struct err err = ERR_INIT;

	if (hardware_parse(yaml, strlen(yaml), &hardware, &err) < 0)
		fail_msg("%s", err.text);
	return hardware;
}

static void promises_no_more_than_the_machine_has(void **state)
{
	owned(hardware_free) struct hardware *small = first(2, UINT64_C(6) << 30);
	owned(hardware_free) struct hardware *large = first(64, UINT64_C(512) << 30);

	assert_int_equal(hardware_limits(small, "cpu-upgrade").cpu_milli, 2000);
	assert_int_equal(hardware_limits(small, "cpu-upgrade").memory_bytes, UINT64_C(6) << 30);
	assert_int_equal(hardware_limits(large, "cpu-upgrade").cpu_milli, 8000);
	assert_int_equal(hardware_limits(large, "cpu-upgrade").memory_bytes, UINT64_C(32) << 30);
	assert_int_equal(hardware_limits(large, "cpu-basic").cpu_milli, 2000);
}

static void is_in_order_on_the_smallest_machine(void **state)
{
	owned(hardware_free) struct hardware *tiny = first(1, 512 << 20);

	assert_int_equal(hardware_limits(tiny, "cpu-basic").memory_bytes, UINT64_C(1) << 30);
}

static void says_which_cards_are_simulated(void **state)
{
	owned(hardware_free) struct hardware *hardware = first(8, UINT64_C(16) << 30);
	const struct hardware_flavor *card = hardware_find(hardware, "t4-medium");

	assert_non_null(strstr(card->title, "(simulated)"));
	assert_true(card->simulated);
	assert_int_equal(card->quantity, 1);
	assert_int_equal(hardware_find(hardware, "cpu-basic")->quantity, 0);
	assert_non_null(hardware_find(hardware, "rtx-pro-6000x8"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(promises_no_more_than_the_machine_has),
		cmocka_unit_test(is_in_order_on_the_smallest_machine),
		cmocka_unit_test(says_which_cards_are_simulated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
