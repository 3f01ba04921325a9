#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "space/flavors.h"
#include "space/hardware.h"

static struct hardware *with_cards(unsigned cpus, uint64_t memory_bytes, const char *const *cards)
{
	owned(free) char *yaml = flavors_yaml(cpus, memory_bytes, cards);
	struct hardware *hardware = NULL;
	struct err err = ERR_INIT;

	if (hardware_parse(yaml, strlen(yaml), &hardware, &err) < 0)
		fail_msg("%s", err.text);
	return hardware;
}

static struct hardware *first(unsigned cpus, uint64_t memory_bytes)
{
	return with_cards(cpus, memory_bytes, NULL);
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

static void gives_the_cards_that_there_are(void **state)
{
	const char *const cards[] = {"nvidia.com/gpu=0", "nvidia.com/gpu=1", NULL};
	owned(hardware_free) struct hardware *hardware = with_cards(8, UINT64_C(64) << 30, cards);
	const struct hardware_flavor *one = hardware_find(hardware, "t4-medium");
	const struct hardware_flavor *two = hardware_find(hardware, "a10g-largex2");
	const struct hardware_flavor *four = hardware_find(hardware, "l4x4");

	assert_string_equal(one->title, "Nvidia T4 medium (on nvidia.com/gpu)");
	assert_false(one->simulated);
	assert_int_equal(hardware_places(one), 2);
	assert_int_equal(hardware_places_needed(one), 1);
	assert_int_equal(hardware_places_needed(two), 2);
	assert_true(hardware_share(one, two));
	assert_true(four->simulated);
	assert_int_equal(hardware_places(hardware_find(hardware, "cpu-upgrade")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(promises_no_more_than_the_machine_has),
		cmocka_unit_test(is_in_order_on_the_smallest_machine),
		cmocka_unit_test(says_which_cards_are_simulated),
		cmocka_unit_test(gives_the_cards_that_there_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
