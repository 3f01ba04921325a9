#include "base/meminfo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char head[] = "MemTotal:       24683656 kB\n"
			   "MemFree:        21344168 kB\n"
			   "MemAvailable:   24001772 kB\n"
			   "SwapCached:            7 kB\n";

static void reads_lines_by_their_names(void **state)
{
	struct meminfo info;
	struct err err = ERR_INIT;

	assert_int_equal(meminfo_parse("MemTotal: 4 kB\nMemAvailable: 3 kB\nSwapTotal: 2 kB\n"
				       "SwapFree: 1 kB",
				       &info, &err),
			 0);
	assert_int_equal(info.memory, 4096);
	assert_int_equal(info.memory_left, 3072);
	assert_int_equal(info.swap, 2048);
	assert_int_equal(info.swap_left, 1024);
}

static void a_missing_line_is_an_error(void **state)
{
	struct meminfo info;
	struct err err = ERR_INIT;

	assert_int_equal(meminfo_parse(head, &info, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err.text, "/proc/meminfo has no SwapTotal");
	assert_int_equal(meminfo_parse("", &info, &err), -1);
	assert_int_equal(meminfo_parse("MemTotal: much\n", &info, &err), -1);
}

static void this_machine_has_memory(void **state)
{
	struct meminfo info;
	struct err err = ERR_INIT;

	assert_int_equal(meminfo_read(&info, &err), 0);
	assert_true(info.memory_left > 0 && info.memory_left < info.memory);
	assert_true(info.swap_left <= info.swap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lines_by_their_names),
		cmocka_unit_test(a_missing_line_is_an_error),
		cmocka_unit_test(this_machine_has_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
