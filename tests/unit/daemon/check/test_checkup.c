#include "checking.h"

#include <sys/wait.h>
#include <unistd.h>

static int find_a_problem(struct checkup *checkup, struct err *err)
{
	checkup_problem(checkup, "a\033thing", "do this", "row %d is\nbad", 7);
	return 0;
}

static int find_a_warning(struct checkup *checkup, struct err *err)
{
	checkup_warning(checkup, "thing", NULL, "odd");
	return 0;
}

static int break_off(struct checkup *checkup, struct err *err)
{
	return err_set(err, ERR_SYSTEM, "no disk");
}

static int run(struct checking *checking, const struct checkup_area *areas)
{
	struct datadir dir = {.path = "/tmp", .fd = -1};
	struct err err = ERR_INIT;

	checking->checkup.dir = &dir;
	return checkup_run(&checking->checkup, areas, &err);
}

static void a_finding_is_one_line_without_control_characters(void **state)
{
	struct checking checking;
	struct err err = ERR_INIT;

	checking_begin(&checking);
	assert_int_equal(find_a_problem(&checking.checkup, &err), 0);
	assert_string_equal(checking_text(&checking), "problem: a?thing: row 7 is?bad; do this\n");
	checking_end(&checking);
}

/* In a process that is not root, as the areas of the owner are meant. */
static void as_nobody(void (*test)(void))
{
	fflush(NULL);

	pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		if (getuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void warnings_alone_do(void)
{
	const struct checkup_area areas[] = {{"odd", CHECKUP_AS_OWNER, find_a_warning}, {0}};
	struct checking checking;

	checking_begin(&checking);
	if (run(&checking, areas) != 0 ||
	    strcmp(checking_text(&checking),
		   "warning: thing: odd\n0 problems, 1 warnings, 0 mended\n") != 0)
		_exit(1);
	checking_end(&checking);
}

static void an_area_that_fails_hides_no_other(void)
{
	const struct checkup_area areas[] = {{"first", CHECKUP_AS_OWNER, break_off},
					     {"second", CHECKUP_AS_OWNER, find_a_warning},
					     {0}};
	struct checking checking;

	checking_begin(&checking);
	if (run(&checking, areas) != 1 ||
	    strcmp(checking_text(&checking),
		   "problem: first: not checked to its end: no disk\n"
		   "warning: thing: odd\n1 problems, 1 warnings, 0 mended\n") != 0)
		_exit(1);
	checking_end(&checking);
}

static void what_needs_root_is_named_to_others(void)
{
	const struct checkup_area areas[] = {{"mounts", CHECKUP_AS_ROOT, break_off}, {0}};
	struct checking checking;

	checking_begin(&checking);
	if (run(&checking, areas) != 0 ||
	    !strstr(checking_text(&checking), "mounts: only root can look at it"))
		_exit(1);
	checking_end(&checking);
}

static void areas_report_and_sum_up(void **state)
{
	as_nobody(warnings_alone_do);
	as_nobody(an_area_that_fails_hides_no_other);
	as_nobody(what_needs_root_is_named_to_others);
}

static int count_calls(void *arg, struct err *err)
{
	(*(int *)arg)++;
	return 0;
}

static int fail_to_mend(void *arg, struct err *err)
{
	return err_set(err, ERR_SYSTEM, "still bad");
}

static void mends_only_when_told_to(void **state)
{
	const struct checkup_finding finding = {CHECKUP_PROBLEM, "it", "bad", NULL};
	struct checking checking;
	int calls = 0;

	checking_begin(&checking);
	checkup_mend(&checking.checkup, &finding, count_calls, &calls);
	assert_int_equal(calls, 0);
	checking.checkup.repairs = true;
	checkup_mend(&checking.checkup, &finding, count_calls, &calls);
	assert_int_equal(calls, 1);
	checkup_mend(&checking.checkup, &finding, fail_to_mend, NULL);
	assert_string_equal(checking_text(&checking), "problem: it: bad; check --repair mends it\n"
						      "mended: it: bad\n"
						      "problem: it: bad; still bad\n");
	assert_int_equal(checking.checkup.counts[CHECKUP_PROBLEM], 2);
	assert_int_equal(checking.checkup.counts[CHECKUP_MENDED], 1);
	checking_end(&checking);
}

/* Wrong for the first looks, then right: a call that was half done. */
static bool wrong_three_times(void *arg)
{
	return ++*(int *)arg <= 3;
}

static void what_is_in_flight_is_no_fault(void **state)
{
	struct checkup running = {.hub_runs = true};
	struct checkup stopped = {.hub_runs = false};
	int looks = 0;

	assert_false(checkup_settles(&running, wrong_three_times, &looks));
	looks = 0;
	assert_true(checkup_settles(&stopped, wrong_three_times, &looks));
	assert_int_equal(looks, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_finding_is_one_line_without_control_characters),
		cmocka_unit_test(areas_report_and_sum_up),
		cmocka_unit_test(mends_only_when_told_to),
		cmocka_unit_test(what_is_in_flight_is_no_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
