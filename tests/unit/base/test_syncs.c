#include "base/syncs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int new_file(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	return fd;
}

static void syncs_and_closes_many_and_begins_anew(void **state)
{
	owned(syncs_free) struct syncs *syncs = syncs_new();
	struct err err = ERR_INIT;
	int fds[40];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 40; i++)
			syncs_add(syncs, fds[i] = new_file());
		assert_int_equal(syncs_run(syncs, &err), 0);
		for (int i = 0; i < 40; i++)
			assert_false(is_open(fds[i]));
	}
}

static void nothing_is_done_at_once(void **state)
{
	owned(syncs_free) struct syncs *syncs = syncs_new();
	struct err err = ERR_INIT;

	assert_int_equal(syncs_run(syncs, &err), 0);
}

/* A pipe cannot be synced: its place among the others makes no difference. */
static void one_failure_fails_all(void **state)
{
	for (int place = 0; place < 5; place++) {
		owned(syncs_free) struct syncs *syncs = syncs_new();
		struct err err = ERR_INIT;
		int pipe_fds[2];

		assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
		for (int i = 0; i < 5; i++)
			syncs_add(syncs, i == place ? pipe_fds[1] : new_file());
		assert_int_equal(syncs_run(syncs, &err), -1);
		assert_int_equal(err.kind, ERR_SYSTEM);
		assert_false(is_open(pipe_fds[1]));
		assert_int_equal(syncs_run(syncs, &err), 0);
		close(pipe_fds[0]);
	}
}

static void what_was_not_synced_is_closed(void **state)
{
	struct syncs *syncs = syncs_new();
	int fd = new_file();

	syncs_add(syncs, fd);
	syncs_free(syncs);
	assert_false(is_open(fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syncs_and_closes_many_and_begins_anew),
		cmocka_unit_test(nothing_is_done_at_once),
		cmocka_unit_test(one_failure_fails_all),
		cmocka_unit_test(what_was_not_synced_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
