#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "space/stage.h"

/* One letter for each stage, in the order of the enum. */
static const char letters[] = "ncbBaRrsEzSpD";

static enum stage stage_of(char letter)
{
	return (enum stage)(strchr(letters, letter) - letters);
}

/*
 * Every pair: the row says what each stage becomes, in the order of `letters`; first where nothing
 * serves, then where some version does. b BUILDING, r RUNNING_BUILDING, a APP_STARTING,
 * s RUNNING_APP_STARTING, R RUNNING.
 */
static const struct {
	enum stage_event event;
	const char *idle;
	const char *serving;
} table[] = {
	/*                           ncbBaRrsEzSpD    ncbBaRrsEzSpD */
	{STAGE_EVENT_NONE, "ncbBaRrsEzSpD", "ncbBaRrsEzSpD"},
	{STAGE_EVENT_PUSHED, "bbbbbbbbbbbpD", "rrrrrrrrrrrpD"},
	{STAGE_EVENT_RESTARTED, "bbbbbbbbbbbbD", "bbbbbbbbbbbbD"},
	{STAGE_EVENT_NO_APP, "ncnBaRnsEzSpD", "ncnBaRnsEzSpD"},
	{STAGE_EVENT_BAD_CONFIG, "nccBaRcsEzSpD", "nccBaRcsEzSpD"},
	{STAGE_EVENT_BUILD_FAILED, "ncBBaRBsEzSpD", "ncBBaRBsEzSpD"},
	{STAGE_EVENT_BUILT, "ncaBaRasEzSpD", "ncsBaRssEzSpD"},
	{STAGE_EVENT_UNBUILT, "ncbBbRrbEzSpD", "ncbBrRrrEzSpD"},
	{STAGE_EVENT_READY, "ncbBRRrREzSpD", "ncbBRRrREzSpD"},
	{STAGE_EVENT_CRASHED, "ncbBaarsEzSpD", "ncbBaarsEzSpD"},
	{STAGE_EVENT_FAILED, "ncbBEErEEzSpD", "ncbBEErEEzSpD"},
	{STAGE_EVENT_DONE, "ncbBSRrSEzSpD", "ncbBSRrSEzSpD"},
	{STAGE_EVENT_OLD_GONE, "ncbBaRbaEzSpD", "ncbBaRbaEzSpD"},
	{STAGE_EVENT_REWISHED, "ncbBaabaaaapD", "ncbBaabaaaapD"},
	{STAGE_EVENT_SLEPT, "ncbBazrsEzSpD", "ncbBazrsEzSpD"},
	{STAGE_EVENT_WOKEN, "ncbBaRrsERSpD", "ncbBaRrsERSpD"},
	{STAGE_EVENT_PAUSED, "ppppppppppppD", "ppppppppppppD"},
	{STAGE_EVENT_DELETED, "DDDDDDDDDDDDD", "DDDDDDDDDDDDD"},
};

static void moves_as_the_table_says(void **state)
{
	assert_int_equal(sizeof(table) / sizeof(*table), STAGE_EVENT_COUNT);
	for (size_t i = 0; i < STAGE_EVENT_COUNT; i++)
		for (size_t from = 0; from < STAGE_COUNT; from++)
			for (int serves = 0; serves < 2; serves++) {
				const char *row = serves ? table[i].serving : table[i].idle;
				enum stage to =
					stage_next((enum stage)from, table[i].event, serves);

				if (to != stage_of(row[from]))
					fail_msg("event %zu in %s leads to %s", i,
						 stage_name((enum stage)from), stage_name(to));
			}
}

static void reads_the_names_that_it_writes(void **state)
{
	enum stage stage;

	for (size_t i = 0; i < STAGE_COUNT; i++) {
		assert_true(stage_parse(stage_name((enum stage)i), &stage));
		assert_int_equal(stage, i);
	}
	assert_false(stage_parse("running", &stage));
}

static void knows_what_serves_and_what_passes(void **state)
{
	for (size_t i = 0; i < STAGE_COUNT; i++) {
		assert_int_equal(stage_serves((enum stage)i), strchr("rs", letters[i]) != NULL);
		assert_int_equal(stage_is_passing((enum stage)i),
				 strchr("bars", letters[i]) != NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_as_the_table_says),
		cmocka_unit_test(reads_the_names_that_it_writes),
		cmocka_unit_test(knows_what_serves_and_what_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
