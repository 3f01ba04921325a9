#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runner/pager.h"

/* "slow" goes on until a signal comes, as a write to the kernel may; anything else is done at once.
 */
static struct loop *loop;
static struct pager *pager;
static atomic_bool slow_begun;
static atomic_bool slow_ended;
static char told[8][16];
static size_t told_count;
static size_t expected;

static int page_out(void *arg, const char *key, struct err *err)
{
	if (strcmp(key, "bad") == 0)
		return err_set(err, ERR_FULL, "no room");
	if (strcmp(key, "slow") != 0)
		return 0;
	atomic_store(&slow_begun, true);
	while (nanosleep(&(struct timespec){.tv_sec = 60}, NULL) == 0)
		;
	atomic_store(&slow_ended, errno == EINTR);
	return err_set(err, ERR_BUSY, "cut off");
}

static void done(void *arg, const char *key, const struct err *err)
{
	snprintf(told[told_count++], sizeof(told[0]), "%s%s", key, err ? " failed" : "");
	if (told_count == expected)
		loop_quit(loop);
}

static void dropped(void *arg, const char *key)
{
	snprintf(told[told_count++], sizeof(told[0]), "%s dropped", key);
}

static int set_up(void **state)
{
	struct err err = ERR_INIT;

	told_count = 0;
	atomic_store(&slow_begun, false);
	atomic_store(&slow_ended, false);
	if (loop_new(&loop, &err) < 0)
		return -1;
	return pager_new(
		loop, &(struct pager_work){.page_out = page_out, .done = done, .dropped = dropped},
		&pager, &err);
}

static int tear_down(void **state)
{
	pager_free(pager);
	loop_free(loop);
	return 0;
}

static void run_until(size_t count)
{
	struct err err = ERR_INIT;

	expected = count;
	assert_int_equal(loop_run(loop, &err), 0);
}

static void wait_for_slow(void)
{
	while (!atomic_load(&slow_begun))
		sched_yield();
}

static void each_is_told_in_its_turn(void **state)
{
	pager_add(pager, "a");
	pager_add(pager, "bad");
	pager_add(pager, "b");
	run_until(3);
	assert_string_equal(told[0], "a");
	assert_string_equal(told[1], "bad failed");
	assert_string_equal(told[2], "b");
}

static void one_that_is_dropped_is_let_go(void **state)
{
	pager_add(pager, "slow");
	pager_add(pager, "a");
	wait_for_slow();
	pager_drop(pager, "slow");
	run_until(2);
	assert_string_equal(told[0], "slow dropped");
	assert_string_equal(told[1], "a");
	assert_true(atomic_load(&slow_ended));
}

static void one_that_waits_is_not_begun(void **state)
{
	pager_add(pager, "slow");
	pager_add(pager, "bad");
	pager_add(pager, "a");
	wait_for_slow();
	pager_drop(pager, "bad");
	pager_drop(pager, "unknown");
	pager_drop(pager, "slow");
	run_until(2);
	assert_string_equal(told[0], "slow dropped");
	assert_string_equal(told[1], "a");
}

static void one_that_sleeps_again_has_another_turn(void **state)
{
	pager_add(pager, "slow");
	wait_for_slow();
	atomic_store(&slow_begun, false);
	pager_drop(pager, "slow");
	pager_add(pager, "a");
	pager_add(pager, "slow");
	run_until(2);
	wait_for_slow();
	assert_string_equal(told[0], "slow dropped");
	assert_string_equal(told[1], "a");
}

/* tear_down() ends it in the midst of work. */
static void the_end_waits_for_nothing(void **state)
{
	pager_add(pager, "slow");
	pager_add(pager, "a");
	wait_for_slow();
	assert_int_equal(told_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_is_told_in_its_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_is_dropped_is_let_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_waits_is_not_begun, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_sleeps_again_has_another_turn, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_end_waits_for_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
