#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/link.h"
#include "engine/request.h"

static struct loop *loop;
static int ends[2];
static size_t received, received_bytes, gaps, closings, wanted;

static void on_message(void *arg, const void *bytes, size_t length)
{
	received++;
	received_bytes += length;
	if (received == wanted)
		loop_quit(loop);
}

static void on_gap(void *arg)
{
	gaps++;
	loop_quit(loop);
}

static void on_closed(void *arg)
{
	closings++;
	loop_quit(loop);
}

static const struct link_events events = {
	.message = on_message, .gap = on_gap, .closed = on_closed};

static int set_up(void **state)
{
	struct err err = ERR_INIT;

	received = received_bytes = gaps = closings = wanted = 0;
	return loop_new(&loop, &err) < 0 ||
			       socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0
		       ? -1
		       : 0;
}

static int tear_down(void **state)
{
	loop_free(loop);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static struct str message_of(size_t size)
{
	struct str message = str_new(REQUEST_MAX);

	while (message.length < size)
		str_add_char(&message, 'x');
	return message;
}

static void the_largest_message_comes_whole(void **state)
{
	owned(link_free) struct link *from = NULL;
	owned(link_free) struct link *to = NULL;
	struct str message = message_of(REQUEST_MAX);
	struct err err = ERR_INIT;

	assert_int_equal(link_new(loop, ends[0], &events, &from, &err), 0);
	assert_int_equal(link_new(loop, ends[1], &events, &to, &err), 0);
	wanted = 1;
	assert_int_equal(link_send(from, &message, &err), 0);
	assert_int_equal(loop_run(loop, &err), 0);
	assert_int_equal(received_bytes, REQUEST_MAX);
}

static void a_full_socket_makes_messages_wait(void **state)
{
	enum { COUNT = 500 };
	owned(link_free) struct link *from = NULL;
	owned(link_free) struct link *to = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(link_new(loop, ends[0], &events, &from, &err), 0);
	for (int i = 0; i < COUNT; i++) {
		struct str message = message_of(4096);

		assert_int_equal(link_send(from, &message, &err), 0);
	}
	assert_int_equal(link_new(loop, ends[1], &events, &to, &err), 0);
	wanted = COUNT;
	assert_int_equal(loop_run(loop, &err), 0);
	assert_int_equal(received_bytes, COUNT * 4096);
	assert_int_equal(gaps, 0);
}

static void a_full_queue_is_a_gap_that_is_told_when_it_is_empty(void **state)
{
	owned(link_free) struct link *from = NULL;
	owned(link_free) struct link *to = NULL;
	struct err err = ERR_INIT;
	size_t sent = 0;
	int result;

	assert_int_equal(link_new(loop, ends[0], &events, &from, &err), 0);
	do {
		struct str message = message_of(64);

		result = link_send(from, &message, &err);
		sent += result == 0;
	} while (result == 0);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(gaps, 0);
	assert_int_equal(link_new(loop, ends[1], &events, &to, &err), 0);
	while (gaps == 0)
		assert_int_equal(loop_run(loop, &err), 0);
	wanted = sent;
	while (received < sent)
		assert_int_equal(loop_run(loop, &err), 0);
	assert_int_equal(gaps, 1);
}

static void a_message_that_failed_is_not_sent(void **state)
{
	owned(link_free) struct link *from = NULL;
	struct str message = message_of(REQUEST_MAX);
	struct err err = ERR_INIT;

	assert_int_equal(link_new(loop, ends[0], &events, &from, &err), 0);
	str_add_char(&message, 'x');
	assert_int_equal(link_send(from, &message, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static void the_end_of_the_other_side_is_told_once(void **state)
{
	owned(link_free) struct link *to = NULL;
	struct str message = message_of(1);
	struct err err = ERR_INIT;

	assert_int_equal(link_new(loop, ends[1], &events, &to, &err), 0);
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(loop_run(loop, &err), 0);
	assert_int_equal(closings, 1);
	assert_int_equal(link_send(to, &message, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
}

int main(void)
{
#define WITH_PAIR(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_PAIR(the_largest_message_comes_whole),
		WITH_PAIR(a_full_socket_makes_messages_wait),
		WITH_PAIR(a_full_queue_is_a_gap_that_is_told_when_it_is_empty),
		WITH_PAIR(a_message_that_failed_is_not_sent),
		WITH_PAIR(the_end_of_the_other_side_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
