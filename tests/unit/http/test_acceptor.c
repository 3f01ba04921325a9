#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/acceptor.h"
#include "wire.h"

static struct acceptor *acceptor;
static struct wire_address address;
static sem_t accepts;
static int last_fd;

static void accepted(void *arg, int fd)
{
	acceptor_enter(acceptor);
	last_fd = fd;
	sem_post(&accepts);
}

static void wait_for_accept(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	assert_int_equal(sem_timedwait(&accepts, &until), 0);
}

static int start(void **state)
{
	struct err err = ERR_INIT;
	int listen_fd = wire_listen(&address);

	sem_init(&accepts, 0, 0);
	acceptor = acceptor_new(listen_fd, 1, accepted, NULL);
	*state = (void *)(intptr_t)listen_fd;
	return acceptor_start(acceptor, &err);
}

static int stop(void **state)
{
	acceptor_free(acceptor);
	close((int)(intptr_t)*state);
	return 0;
}

static void accepts_up_to_its_limit(void **state)
{
	owned(close) int one = wire_connect(&address);
	owned(close) int two = wire_connect(&address);
	int value;

	wait_for_accept();
	close(last_fd);
	assert_true(wire_is_silent(two, 20));
	assert_int_equal(sem_getvalue(&accepts, &value), 0);
	assert_int_equal(value, 0);
	acceptor_leave(acceptor);
	wait_for_accept();
	close(last_fd);
}

static void stops_while_it_waits_for_room(void **state)
{
	owned(close) int one = wire_connect(&address);

	wait_for_accept();
	acceptor_stop(acceptor);
	close(last_fd);
}

static void stops_while_it_waits_for_clients(void **state)
{
	acceptor_stop(acceptor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(accepts_up_to_its_limit, start, stop),
		cmocka_unit_test_setup_teardown(stops_while_it_waits_for_room, start, stop),
		cmocka_unit_test_setup_teardown(stops_while_it_waits_for_clients, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
