#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#include "space/crew.h"

enum { JOBS = 100 };

struct fixture {
	struct loop *loop;
	pthread_t loop_thread;
	atomic_int worked;
	int done;
	int elsewhere; /* jobs that the loop's own thread has not worked on */
};

struct job {
	struct fixture *fixture;
	bool elsewhere;
};

static void work(void *arg)
{
	struct job *job = arg;

	atomic_fetch_add(&job->fixture->worked, 1);
	job->elsewhere = !pthread_equal(pthread_self(), job->fixture->loop_thread);
}

static void done(void *arg)
{
	struct job *job = arg;
	struct fixture *fixture = job->fixture;

	assert_true(pthread_equal(pthread_self(), fixture->loop_thread));
	fixture->elsewhere += job->elsewhere;
	if (++fixture->done == JOBS)
		loop_quit(fixture->loop);
}

static void begin(struct fixture *fixture, struct crew **crew, struct job jobs[static JOBS])
{
	struct err err = ERR_INIT;

	*fixture = (struct fixture){.loop_thread = pthread_self()};
	assert_int_equal(loop_new(&fixture->loop, &err), 0);
	assert_int_equal(crew_new(fixture->loop, 2, crew, &err), 0);
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){.fixture = fixture};
		crew_do(*crew, work, done, &jobs[i]);
	}
}

static void works_elsewhere_and_tells_the_loop(void **state)
{
	struct fixture fixture;
	struct job jobs[JOBS];
	struct crew *crew;
	struct err err = ERR_INIT;

	begin(&fixture, &crew, jobs);
	assert_int_equal(loop_run(fixture.loop, &err), 0);
	assert_int_equal(fixture.worked, JOBS);
	assert_int_equal(fixture.elsewhere, JOBS);
	crew_free(crew);
	loop_free(fixture.loop);
}

static void finishes_what_is_left_at_the_end(void **state)
{
	struct fixture fixture;
	struct job jobs[JOBS];
	struct crew *crew;

	begin(&fixture, &crew, jobs);
	crew_free(crew); /* the loop has never run */
	assert_int_equal(fixture.done, JOBS);
	loop_free(fixture.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(works_elsewhere_and_tells_the_loop),
		cmocka_unit_test(finishes_what_is_left_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
