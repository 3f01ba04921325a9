#include "rows.h"

/* A Space whose app ran from 2 to 60, and was asleep in the middle; and one that runs. */
static const char good[] =
	"INSERT INTO spaces (repo_id, hex, full_name, slug, flavor, stage)"
	" VALUES (5, 'b', 'me/demo', 'me-demo', 'cpu-basic', 'RUNNING');"
	"INSERT INTO runs (id, key, kind, repo_id, generation, log, created_ms, started_ms,"
	" ended_ms, flavor, price) VALUES (8, 'b-1', 'app', 5, 1, 1, 1, 2, 60, 'cpu-basic', 3),"
	" (9, 'b-2', 'app', 5, 2, 2, 70, 70, NULL, 'cpu-basic', 3);"
	"INSERT INTO ledger (id, repo_id, run_key, run_id, flavor, price, from_ms, from_mono, boot,"
	" to_ms, to_mono, to_boot, used_ms)"
	" VALUES (1, 5, 'b-1', 8, 'cpu-basic', 3, 2, 1002, 'x', 30, 1030, 'x', 28),"
	" (2, 5, 'b-1', 8, 'cpu-basic', 3, 50, 1050, 'x', 60, 1060, 'x', 10),"
	" (3, 5, 'b-2', 9, 'cpu-basic', 3, 70, 1070, 'x', NULL, NULL, '', NULL);";

/* What is said after `sql` was run on good rows. */
static void expect(void **state, const char *sql, const char *said)
{
	rows_write(scratch_of(state), good);
	rows_write(scratch_of(state), sql);
	rows_expect(scratch_of(state), checkup_ledger, said);
}

static void a_good_ledger_is_good(void **state)
{
	expect(state, "SELECT 1", "");
}

static void an_open_span_of_an_ended_run_is_named(void **state)
{
	expect(state, "UPDATE runs SET ended_ms = 90 WHERE id = 9",
	       "problem: ledger of b-2: a span is open and its run has ended");
}

static void a_run_that_is_not_counted_is_named(void **state)
{
	expect(state, "DELETE FROM ledger WHERE id = 3",
	       "problem: ledger of b-2: the run has started and is not counted");
}

static void a_sleeper_that_is_counted_is_named(void **state)
{
	expect(state, "UPDATE runs SET slept_ms = 80 WHERE id = 9",
	       "problem: ledger of b-2: the run sleeps and is counted");
}

static void a_run_that_woke_and_is_not_counted_is_named(void **state)
{
	expect(state,
	       "UPDATE ledger SET to_ms = 80, to_mono = 1080, to_boot = 'x', used_ms = 10"
	       " WHERE id = 3",
	       "problem: ledger of b-2: the run is awake and no longer counted");
}

static void spans_that_overlap_are_named(void **state)
{
	expect(state, "UPDATE ledger SET from_ms = 29, from_mono = 1029, used_ms = 31 WHERE id = 2",
	       "problem: ledger of b-1: two spans of one run overlap");
}

static void a_length_that_its_ends_contradict_is_named(void **state)
{
	expect(state, "UPDATE ledger SET used_ms = 29 WHERE id = 1",
	       "problem: ledger of b-1: a span is not as long as it is from its beginning");
}

static void an_end_without_a_length_is_named(void **state)
{
	expect(state, "UPDATE ledger SET used_ms = NULL WHERE id = 1",
	       "problem: ledger of b-1: a span has an end and no length");
}

static void another_price_than_the_runs_is_named(void **state)
{
	expect(state, "UPDATE ledger SET price = 2 WHERE id = 2",
	       "problem: ledger of b-1: a span is not of its run's flavor and price");
}

static void a_gap_at_the_start_is_named(void **state)
{
	expect(state, "UPDATE ledger SET from_ms = 4, from_mono = 1004, used_ms = 26 WHERE id = 1",
	       "problem: ledger of b-1: its first span does not begin when the run started");
}

/* Both ends of the span agree with each other, not with the run. */
static void an_end_that_is_not_the_runs_is_named(void **state)
{
	expect(state, "UPDATE ledger SET to_ms = 59, to_mono = 1059, used_ms = 9 WHERE id = 2",
	       "problem: ledger of b-1: its last span does not end when the run ended");
}

static void a_run_that_ends_in_its_sleep_was_counted_until_it_slept(void **state)
{
	expect(state,
	       "UPDATE ledger SET to_ms = 55, to_mono = 1055, used_ms = 5 WHERE id = 2;"
	       "UPDATE runs SET slept_ms = 55 WHERE id = 8",
	       "");
}

/* Rows of runs go with their Space and free their numbers; what was used stays. */
static void spans_of_a_run_that_is_gone_are_not_of_the_next_with_its_number(void **state)
{
	expect(state,
	       "DELETE FROM runs WHERE id = 8;"
	       "INSERT INTO runs (id, key, kind, repo_id, generation, log, created_ms, started_ms)"
	       " VALUES (8, 'env-1', 'build', 5, 3, 3, 80, 81)",
	       "");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_good_ledger_is_good),
		CASE(an_open_span_of_an_ended_run_is_named),
		CASE(a_run_that_is_not_counted_is_named),
		CASE(a_sleeper_that_is_counted_is_named),
		CASE(a_run_that_woke_and_is_not_counted_is_named),
		CASE(spans_that_overlap_are_named),
		CASE(a_length_that_its_ends_contradict_is_named),
		CASE(an_end_without_a_length_is_named),
		CASE(another_price_than_the_runs_is_named),
		CASE(a_gap_at_the_start_is_named),
		CASE(an_end_that_is_not_the_runs_is_named),
		CASE(a_run_that_ends_in_its_sleep_was_counted_until_it_slept),
		CASE(spans_of_a_run_that_is_gone_are_not_of_the_next_with_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
