#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "space/probe.h"

enum { VISITS_MAX = 8 };

/* A listener that gives each visitor the next of some answers. */
struct fixture {
	struct loop *loop;
	struct probe *probe;
	int listener;
	uint16_t port;
	pthread_t thread;
	const char *const *answers;
	unsigned visits;
	unsigned ready;
};

static int setup(void **state)
{
	static struct fixture fixture;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);
	struct err err = ERR_INIT;

	fixture = (struct fixture){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_int_equal(bind(fixture.listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fixture.listener, (struct sockaddr *)&at, &length), 0);
	fixture.port = ntohs(at.sin_port);
	assert_int_equal(loop_new(&fixture.loop, &err), 0);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	probe_free(fixture->probe);
	loop_free(fixture->loop);
	return 0;
}

static void on_ready(void *arg)
{
	struct fixture *fixture = arg;

	fixture->ready++;
	probe_free(take(fixture->probe));
	loop_quit(fixture->loop);
}

static void *answer_visitors(void *arg)
{
	struct fixture *fixture = arg;
	int fd;

	while ((fd = accept(fixture->listener, NULL, NULL)) >= 0) {
		const char *answer = fixture->answers[fixture->visits++];
		char request[1024];

		if (recv(fd, request, sizeof(request), 0) > 0)
			(void)!write(fd, answer, strlen(answer));
		close(fd);
	}
	return NULL;
}

static void open_door(void *arg)
{
	struct fixture *fixture = arg;

	assert_int_equal(listen(fixture->listener, VISITS_MAX), 0);
	assert_int_equal(pthread_create(&fixture->thread, NULL, answer_visitors, fixture), 0);
}

static void run(struct fixture *fixture, const char *const *answers)
{
	struct err err = ERR_INIT;

	fixture->answers = answers;
	fixture->probe =
		probe_new(fixture->loop, INADDR_LOOPBACK, fixture->port, on_ready, fixture);
	assert_int_equal(loop_run(fixture->loop, &err), 0);
	assert_int_equal(fixture->ready, 1);
	shutdown(fixture->listener, SHUT_RDWR);
	pthread_join(fixture->thread, NULL);
	close(fixture->listener);
}

static void takes_any_status_for_an_answer(void **state)
{
	struct fixture *fixture = *state;

	/* An empty answer hangs up first, as a proxy in front of an app may. */
	open_door(fixture);
	run(fixture, (const char *const[]){"", "HTTP/1.1 500 Oops\r\n\r\n"});
	assert_int_equal(fixture->visits, 2);
}

static void goes_on_asking_who_does_not_speak_http(void **state)
{
	struct fixture *fixture = *state;

	open_door(fixture);
	run(fixture, (const char *const[]){"SSH-2.0-x\r\n", "HT", "HTTP/1.0 200 OK\r\n"});
	assert_int_equal(fixture->visits, 3);
}

static void waits_until_somebody_listens(void **state)
{
	struct fixture *fixture = *state;
	struct loop_timer *timer = loop_timer_new(fixture->loop, open_door, fixture);

	loop_timer_set(timer, 50); /* after one or two tries that were refused */
	run(fixture, (const char *const[]){"HTTP/1.1 200 OK\r\n\r\n"});
	loop_timer_free(timer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(takes_any_status_for_an_answer),
		TEST(goes_on_asking_who_does_not_speak_http),
		TEST(waits_until_somebody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
