#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/loop.h"

enum { WATCHES = 8 };

struct world {
	struct loop *loop;
	struct loop_fd *watches[WATCHES];
	struct loop_timer *timers[4];
	int fds[WATCHES];
	char order[32];
	unsigned calls;
};

static int setup(void **state)
{
	static struct world world;
	struct err err = ERR_INIT;

	memset(&world, 0, sizeof(world));
	for (int i = 0; i < WATCHES; i++)
		world.fds[i] = eventfd(1, EFD_CLOEXEC); /* readable at once */
	*state = &world;
	return loop_new(&world.loop, &err);
}

static int teardown(void **state)
{
	struct world *world = *state;

	loop_free(world->loop);
	for (int i = 0; i < WATCHES; i++)
		close(world->fds[i]);
	return 0;
}

static void run(struct world *world)
{
	struct err err = ERR_INIT;

	assert_int_equal(loop_run(world->loop, &err), 0);
}

static void note(struct world *world, char c)
{
	world->order[strlen(world->order)] = c;
}

static void quit(void *arg)
{
	loop_quit(((struct world *)arg)->loop);
}

static void add(struct world *world, int i, uint32_t events,
		void (*ready)(void *arg, uint32_t events))
{
	struct err err = ERR_INIT;

	assert_int_equal(loop_fd_add(world->loop, world->fds[i], events, ready, world,
				     &world->watches[i], &err),
			 0);
}

static void quit_before_run_ends_it(void **state)
{
	struct world *world = *state;

	loop_quit(world->loop);
	run(world);
	loop_quit(world->loop); /* and it can run again */
	run(world);
}

static void on_ready_quit(void *arg, uint32_t events)
{
	struct world *world = arg;

	assert_true(events & EPOLLIN);
	world->calls++;
	loop_quit(world->loop);
}

static void a_ready_descriptor_is_told(void **state)
{
	struct world *world = *state;

	add(world, 0, EPOLLIN, on_ready_quit);
	run(world);
	assert_int_equal(world->calls, 1);
	loop_fd_remove(world->watches[0]);
	loop_fd_remove(NULL);
}

static void changed_events_hold(void **state)
{
	struct world *world = *state;

	add(world, 0, EPOLLIN, on_ready_quit);
	loop_fd_change(world->watches[0], 0);
	loop_post(world->loop, quit, world);
	run(world);
	assert_int_equal(world->calls, 0);
	loop_fd_change(world->watches[0], EPOLLIN);
	run(world);
	assert_int_equal(world->calls, 1);
}

static void on_ready_remove_all(void *arg, uint32_t events)
{
	struct world *world = arg;

	world->calls++;
	for (int i = 0; i < WATCHES; i++) {
		loop_fd_remove(world->watches[i]);
		world->watches[i] = NULL;
	}
	loop_quit(world->loop);
}

static void a_callback_may_remove_every_watch(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < WATCHES; i++)
		add(world, i, EPOLLIN, on_ready_remove_all);
	run(world);
	assert_int_equal(world->calls, 1); /* the other seven were ready too, and are not called */
}

static void on_ready_replace(void *arg, uint32_t events)
{
	struct world *world = arg;

	loop_fd_remove(world->watches[0]);
	add(world, 0, EPOLLIN, on_ready_quit); /* the same descriptor again */
}

static void a_callback_may_replace_its_watch(void **state)
{
	struct world *world = *state;

	add(world, 0, EPOLLIN, on_ready_replace);
	run(world);
	assert_int_equal(world->calls, 1);
}

static void remove_first(void *arg)
{
	struct world *world = arg;

	loop_fd_remove(world->watches[0]);
	world->watches[0] = NULL;
	loop_quit(world->loop);
}

static void on_ready_post_removal(void *arg, uint32_t events)
{
	struct world *world = arg;

	world->calls++;
	loop_fd_change(world->watches[0], 0);
	loop_timer_set(world->timers[0], 0);
}

static void posts_and_timers_may_remove_watches(void **state)
{
	struct world *world = *state;

	add(world, 0, EPOLLIN, on_ready_post_removal);
	world->timers[0] = loop_timer_new(world->loop, remove_first, world);
	run(world);
	assert_int_equal(world->calls, 1);
	add(world, 0, 0, on_ready_quit);
	loop_post(world->loop, remove_first, world);
	run(world);
	assert_null(world->watches[0]);
}

static void watching_what_cannot_be_watched_fails(void **state)
{
	struct world *world = *state;
	struct loop_fd *watch = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(loop_fd_add(world->loop, -1, EPOLLIN, on_ready_quit, world, &watch, &err),
			 -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	add(world, 0, EPOLLIN, on_ready_quit);
	assert_int_equal(loop_fd_add(world->loop, world->fds[0], EPOLLIN, on_ready_quit, world,
				     &watch, &err),
			 -1);
	assert_null(watch);
}

static void due_a(void *arg)
{
	note(arg, 'a');
}

static void due_b(void *arg)
{
	note(arg, 'b');
}

static void due_c(void *arg)
{
	note(arg, 'c');
}

static void due_quit(void *arg)
{
	note(arg, 'q');
	quit(arg);
}

static void timers_fire_in_order(void **state)
{
	struct world *world = *state;
	void (*const due[])(void *) = {due_a, due_b, due_c, due_quit};
	static const int64_t after_ms[] = {200, 100, 100,
					   300}; /* far enough apart for a busy machine */
	int64_t start_ms = clock_mono_ms();

	for (int i = 0; i < 4; i++) {
		world->timers[i] = loop_timer_new(world->loop, due[i], world);
		loop_timer_set(world->timers[i], after_ms[i]);
	}
	run(world);
	assert_string_equal(world->order, "bcaq"); /* equal times: first set, first called */
	assert_true(clock_mono_ms() - start_ms >= 300);
}

static void a_timer_can_be_set_anew_and_cleared(void **state)
{
	struct world *world = *state;
	void (*const due[])(void *) = {due_a, due_b, due_c, due_quit};

	for (int i = 0; i < 4; i++)
		world->timers[i] = loop_timer_new(world->loop, due[i], world);
	loop_timer_set(world->timers[0], 0);
	loop_timer_set(world->timers[1], 1);
	loop_timer_set(world->timers[2], INT64_MAX);
	loop_timer_set(world->timers[3], 2);
	loop_timer_clear(world->timers[0]);
	loop_timer_clear(world->timers[0]);
	loop_timer_set(world->timers[2], -5);
	run(world);
	assert_string_equal(world->order, "cbq");
}

static void many_timers_stay_sorted(void **state)
{
	struct world *world = *state;
	struct loop_timer *timers[200];
	unsigned number = 1;

	for (int i = 0; i < 200; i++) {
		timers[i] = loop_timer_new(world->loop, due_a, world);
		number = number * 1103515245u + 12345u;
		loop_timer_set(timers[i], 1000000 + number % 1000);
	}
	for (int i = 0; i < 200; i += 3)
		loop_timer_clear(timers[i]);
	for (int i = 0; i < 200; i += 2)
		loop_timer_set(timers[i], 2000000 - i);
	for (int i = 0; i < 199; i++)
		loop_timer_free(timers[i]);
	world->timers[0] = loop_timer_new(world->loop, due_quit, world);
	loop_timer_set(world->timers[0], 0);
	run(world);
	assert_string_equal(world->order, "q");
	loop_timer_free(NULL);
}

static void due_free_itself(void *arg)
{
	struct world *world = arg;

	loop_timer_free(world->timers[0]);
	loop_timer_free(world->timers[1]); /* due at the same time: must not be called */
	loop_quit(world->loop);
}

static void a_timer_may_free_itself_and_others(void **state)
{
	struct world *world = *state;

	world->timers[0] = loop_timer_new(world->loop, due_free_itself, world);
	world->timers[1] = loop_timer_new(world->loop, due_a, world);
	loop_timer_set(world->timers[0], 0);
	loop_timer_set(world->timers[1], 0);
	run(world);
	assert_string_equal(world->order, "");
}

static void due_again(void *arg)
{
	struct world *world = arg;

	world->calls++;
	loop_timer_set(world->timers[0], 0);
}

static void a_timer_at_once_and_again_stops_nobody(void **state)
{
	struct world *world = *state;

	world->timers[0] = loop_timer_new(world->loop, due_again, world);
	loop_timer_set(world->timers[0], 0);
	add(world, 0, EPOLLIN, on_ready_quit);
	run(world);
	assert_true(world->calls >= 1);
}

static void post_b(void *arg)
{
	note(arg, 'b');
	quit(arg);
}

static void post_a(void *arg)
{
	struct world *world = arg;

	note(world, 'a');
	loop_post(world->loop, post_b, world);
}

static void posts_run_in_order_and_may_post(void **state)
{
	struct world *world = *state;

	loop_post(world->loop, post_a, world);
	loop_post(world->loop, due_c, world);
	run(world);
	assert_string_equal(world->order, "acb");
}

static void count_call(void *arg)
{
	struct world *world = arg;

	if (++world->calls == 4000)
		loop_quit(world->loop);
}

static void *post_many(void *arg)
{
	struct world *world = arg;

	for (int i = 0; i < 1000; i++)
		loop_post(world->loop, count_call, world);
	return NULL;
}

static void posts_from_threads_all_arrive(void **state)
{
	struct world *world = *state;
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, world), 0);
	run(world);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(world->calls, 4000);
}

static void free_releases_what_is_left(void **state)
{
	struct world *world = *state;

	add(world, 0, EPOLLIN, on_ready_quit);
	add(world, 1, EPOLLIN, on_ready_quit);
	loop_fd_remove(world->watches[1]);
	loop_timer_set(loop_timer_new(world->loop, due_a, world), 5);
	loop_post(world->loop, due_a, world);
	loop_free(world->loop); /* LeakSanitizer looks */
	loop_free(NULL);
	world->loop = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(quit_before_run_ends_it),
		TEST(a_ready_descriptor_is_told),
		TEST(changed_events_hold),
		TEST(a_callback_may_remove_every_watch),
		TEST(a_callback_may_replace_its_watch),
		TEST(posts_and_timers_may_remove_watches),
		TEST(watching_what_cannot_be_watched_fails),
		TEST(timers_fire_in_order),
		TEST(a_timer_can_be_set_anew_and_cleared),
		TEST(many_timers_stay_sorted),
		TEST(a_timer_may_free_itself_and_others),
		TEST(a_timer_at_once_and_again_stops_nobody),
		TEST(posts_run_in_order_and_may_post),
		TEST(posts_from_threads_all_arrive),
		TEST(free_releases_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
