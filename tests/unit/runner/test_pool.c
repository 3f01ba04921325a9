#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "runner/pool.h"

enum { JOBS = 100 };

static struct loop *loop;
static atomic_uint worked;
static unsigned done_count;
static pthread_t loop_thread;

static void work(void *arg)
{
	assert_false(pthread_equal(pthread_self(), loop_thread));
	atomic_fetch_add(&worked, 1);
}

static void done(void *arg)
{
	assert_true(pthread_equal(pthread_self(), loop_thread));
	if (++done_count == JOBS)
		loop_quit(loop);
}

static void jobs_are_done_elsewhere_and_reported_here(void **state)
{
	struct err err = ERR_INIT;
	struct pool *pool = NULL;

	loop_thread = pthread_self();
	assert_int_equal(loop_new(&loop, &err), 0);
	assert_int_equal(pool_new(loop, 3, &pool, &err), 0);
	for (int i = 0; i < JOBS; i++)
		pool_add(pool, &(struct pool_job){.work = work, .done = done});
	assert_int_equal(loop_run(loop, &err), 0);
	assert_int_equal(atomic_load(&worked), JOBS);
	pool_free(pool);
	loop_free(loop);
}

static void a_pool_may_end_with_jobs_left(void **state)
{
	struct err err = ERR_INIT;
	struct pool *pool = NULL;

	assert_int_equal(loop_new(&loop, &err), 0);
	assert_int_equal(pool_new(loop, 1, &pool, &err), 0);
	for (int i = 0; i < JOBS; i++)
		pool_add(pool, &(struct pool_job){.work = work, .done = done});
	pool_free(pool);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_are_done_elsewhere_and_reported_here),
		cmocka_unit_test(a_pool_may_end_with_jobs_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
