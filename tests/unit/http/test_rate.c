#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "http/rate.h"

static void counts_down_and_refuses(void **state)
{
	owned(rate_free) struct rate *rate = rate_new();
	uint64_t me = rate_caller(rate, "api", "user 1");
	struct rate_state now;

	for (uint32_t left = 3; left-- > 0;) {
		assert_true(rate_take(rate, me, 3, 1000, &now));
		assert_int_equal(now.left, left);
	}
	assert_false(rate_take(rate, me, 3, 1000, &now));
	assert_int_equal(now.left, 0);
	assert_in_range(now.reset_s, 1, RATE_WINDOW_S);
}

static void begins_anew_when_the_window_is_over(void **state)
{
	owned(rate_free) struct rate *rate = rate_new();
	uint64_t me = rate_caller(rate, "api", "user 1");
	struct rate_state now, then;

	assert_true(rate_take(rate, me, 1, 1000, &now));
	assert_false(rate_take(rate, me, 1, 1000 + now.reset_s - 1, &then));
	assert_int_equal(then.reset_s, 1);
	assert_true(rate_take(rate, me, 1, 1000 + now.reset_s, &then));
	assert_int_equal(then.reset_s, RATE_WINDOW_S);
	/* And again after a long silence. */
	assert_true(rate_take(rate, me, 1, 1000000, &then));
}

static void callers_and_kinds_are_counted_apart(void **state)
{
	owned(rate_free) struct rate *rate = rate_new();
	static const char *const texts[][2] = {
		{"api", "user 1"}, {"api", "user 2"}, {"pages", "user 1"}, {"apiuser", " 1"}};
	struct rate_state now;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_true(
			rate_take(rate, rate_caller(rate, texts[i][0], texts[i][1]), 1, 5, &now));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(
			rate_take(rate, rate_caller(rate, texts[i][0], texts[i][1]), 1, 5, &now));
}

static void windows_of_callers_end_at_different_times(void **state)
{
	owned(rate_free) struct rate *rate = rate_new();
	uint32_t least = RATE_WINDOW_S, most = 0;

	for (int i = 0; i < 100; i++) {
		owned(free) char *who = mem_format("user %d", i);
		struct rate_state now;

		assert_true(rate_take(rate, rate_caller(rate, "api", who), 9, 5, &now));
		least = now.reset_s < least ? now.reset_s : least;
		most = now.reset_s > most ? now.reset_s : most;
	}
	assert_true(most - least > RATE_WINDOW_S / 4);
}

/* Four times as many as there is room for: none is refused for the sake of another. */
static void too_many_callers_are_let_through(void **state)
{
	owned(rate_free) struct rate *rate = rate_new();
	struct rate_state now;
	int refused = 0;

	for (int i = 0; i < 4 * RATE_CALLERS; i++) {
		owned(free) char *who = mem_format("address %d", i);

		assert_true(rate_take(rate, rate_caller(rate, "api", who), 1, 5, &now));
	}
	/* The first ones have their places still. */
	for (int i = 0; i < 1000; i++) {
		owned(free) char *who = mem_format("address %d", i);

		refused += !rate_take(rate, rate_caller(rate, "api", who), 1, 5, &now);
	}
	assert_true(refused > 900);
	/* Two windows later all places are free again. */
	for (int i = 0; i < 1000; i++) {
		owned(free) char *who = mem_format("later %d", i);
		uint64_t caller = rate_caller(rate, "api", who);

		assert_true(rate_take(rate, caller, 1, 5 + 3 * RATE_WINDOW_S, &now));
		assert_false(rate_take(rate, caller, 1, 5 + 3 * RATE_WINDOW_S, &now));
	}
}

enum { THREADS = 8, CALLS = 20000, SOME = 1000 };

struct crowd {
	struct rate *rate;
	atomic_uint passed;
};

static void *call_often(void *arg)
{
	struct crowd *crowd = arg;
	uint64_t me = rate_caller(crowd->rate, "api", "user 1");

	for (int i = 0; i < CALLS; i++) {
		struct rate_state now;

		if (rate_take(crowd->rate, me, SOME, 5, &now))
			atomic_fetch_add(&crowd->passed, 1);
	}
	return NULL;
}

static void threads_share_the_count(void **state)
{
	struct crowd crowd = {.rate = rate_new()};
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, &crowd), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_in_range(atomic_load(&crowd.passed), SOME, SOME + THREADS);
	rate_free(crowd.rate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_down_and_refuses),
		cmocka_unit_test(begins_anew_when_the_window_is_over),
		cmocka_unit_test(callers_and_kinds_are_counted_apart),
		cmocka_unit_test(windows_of_callers_end_at_different_times),
		cmocka_unit_test(too_many_callers_are_let_through),
		cmocka_unit_test(threads_share_the_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
