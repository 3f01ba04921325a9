#include "rows.h"

/* An account, and a Space with its repository. */
static const char good[] =
	"INSERT INTO accounts (id, hex, type, name, created_ms) VALUES (1, 'a', 'user', 'me', 1);"
	"INSERT INTO repos (id, hex, type, owner_id, name, is_private, creator_id, created_ms,"
	" modified_ms, sdk) VALUES (5, 'b', 'space', 1, 'demo', 0, 1, 1, 1, 'gradio');"
	"INSERT INTO spaces (repo_id, hex, full_name, slug, flavor, stage)"
	" VALUES (5, 'b', 'me/demo', 'me-demo', 'cpu-basic', 'RUNNING');";

/* What is said after `sql` was run on good rows. */
static void expect(void **state, const char *sql, const char *said)
{
	rows_write(scratch_of(state), good);
	rows_write(scratch_of(state), sql);
	rows_expect(scratch_of(state), checkup_rows, said);
}

static void good_rows_are_good(void **state)
{
	expect(state, "SELECT 1", "");
}

static void a_space_without_repository_is_named(void **state)
{
	expect(state, "DELETE FROM repos", "problem: Space me/demo: it has no repository");
}

static void a_space_on_its_way_out_needs_none(void **state)
{
	expect(state, "DELETE FROM repos; UPDATE spaces SET deleting = 1", "");
}

static void a_repository_without_its_space_is_named(void **state)
{
	expect(state, "DELETE FROM spaces", "problem: Space me/demo: its repository has no Space");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(good_rows_are_good),
		CASE(a_space_without_repository_is_named),
		CASE(a_space_on_its_way_out_needs_none),
		CASE(a_repository_without_its_space_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
