#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/nginx.h"

#include "../scratch_dir.h"

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER       "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static struct datadir dir;

static int set_up(void **state)
{
	scratch_dir_make(&dir);
	return mkdirat(dir.fd, "run", 0700);
}

static int tear_down(void **state)
{
	return scratch_dir_remove(&dir);
}

/* Any process in nginx's place, as the state file would name it. */
static struct proc start_master(void)
{
	const char *const argv[] = {"sleep", "100", NULL};
	const int fds[] = {-1, -1, -1};
	struct proc proc = PROC_INIT;
	struct err err = ERR_INIT;
	owned(free) char *text = NULL;

	if (proc_start(&(struct proc_spec){.argv = argv, .fds = fds, .fd_count = 3}, &proc, &err) <
	    0)
		fail_msg("%s", err.text);
	text = mem_format("%d %" PRIu64 " %s\n", (int)proc.pid, proc_start_time(proc.pid),
			  FINGERPRINT);
	if (file_write(dir.fd, "run/nginx.state", text, strlen(text), 0600, &err) < 0)
		fail_msg("%s", err.text);
	return proc;
}

static int adopt(const char *fingerprint, struct proc *out)
{
	struct err err = ERR_INIT;
	int found = nginx_adopt(&(struct nginx_spec){.dir = &dir, .fingerprint = fingerprint}, out,
				&err);

	if (found < 0)
		fail_msg("%s", err.text);
	return found;
}

static void adopts_a_master_of_the_same_configuration(void **state)
{
	owned(proc_done) struct proc master = start_master();
	struct proc adopted = PROC_INIT;

	assert_int_equal(adopt(OTHER, &adopted), 0);
	assert_int_equal(adopt(FINGERPRINT, &adopted), 1);
	assert_int_equal(adopted.pid, master.pid);
	close(adopted.pidfd);
}

static void does_not_adopt_one_that_has_ended_but_was_not_reaped(void **state)
{
	owned(proc_done) struct proc master = start_master();
	struct pollfd ended = {.fd = master.pidfd, .events = POLLIN};
	struct proc adopted = PROC_INIT;

	proc_signal(&master, SIGKILL);
	assert_int_equal(poll(&ended, 1, -1), 1);
	assert_int_not_equal(proc_start_time(master.pid), 0);
	assert_int_equal(adopt(FINGERPRINT, &adopted), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(adopts_a_master_of_the_same_configuration),
		TEST(does_not_adopt_one_that_has_ended_but_was_not_reaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
