#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "runner/strays.h"

#include "../scratch_dir.h"

#define KEY   "0123456789abcdef01234567-4"
#define OTHER "0123456789abcdef01234567-5"

/* Any program that does not end by itself and takes any arguments. */
#define PATIENT "/usr/bin/tail"

static struct datadir dir;

static int set_up(void **state)
{
	scratch_dir_make(&dir);
	return symlinkat(PATIENT, dir.fd, "conmon") < 0 ? -1 : symlinkat(PATIENT, dir.fd, "runc");
}

static int tear_down(void **state)
{
	return scratch_dir_remove(&dir);
}

/* A process that is called like a monitor, or like runc, with a key and a folder. */
static struct proc start(const char *program, const char *key, const char *folder)
{
	owned(free) char *path = datadir_path(&dir, "%s", program);
	const char *const argv[] = {path, "-F", key, folder, NULL};
	const int fds[] = {-1, -1, -1};
	struct proc proc = PROC_INIT;
	struct err err = ERR_INIT;

	if (proc_start(&(struct proc_spec){.argv = argv, .fds = fds, .fd_count = 3}, &proc, &err) <
	    0)
		fail_msg("%s", err.text);
	return proc;
}

static bool ended(struct proc *proc)
{
	struct pollfd polled = {.fd = proc->pidfd, .events = POLLIN};

	return poll(&polled, 1, 0) == 1;
}

static void kill_strays(const char *key)
{
	struct err err = ERR_INIT;

	if (strays_kill(&dir, key, &err) < 0)
		fail_msg("%s", err.text);
}

static void kills_the_monitor_and_runc_of_one_run(void **state)
{
	owned(free) char *exits = datadir_path(&dir, "run/exit");
	owned(free) char *root = datadir_path(&dir, "run/runc");
	owned(proc_done) struct proc monitor = start("conmon", KEY, exits);
	owned(proc_done) struct proc runc = start("runc", KEY, root);
	owned(proc_done) struct proc of_other_run = start("conmon", OTHER, exits);

	kill_strays(KEY);
	assert_true(ended(&monitor));
	assert_true(ended(&runc));
	assert_false(ended(&of_other_run));
	kill_strays(NULL);
	assert_true(ended(&of_other_run));
}

static void leaves_alone_what_is_not_ours(void **state)
{
	owned(free) char *exits = datadir_path(&dir, "run/exit");
	owned(proc_done) struct proc of_other_instance = start("conmon", KEY, "/nowhere/run/exit");
	owned(proc_done) struct proc longer = start("conmon", KEY "1", exits);
	owned(proc_done) struct proc not_at_it = start("runc", KEY, exits);

	kill_strays(KEY);
	assert_false(ended(&of_other_instance));
	assert_false(ended(&longer));
	assert_false(ended(&not_at_it));
}

struct seen {
	pid_t pid;
	char key[64];
	unsigned count;
};

static void see(void *arg, pid_t pid, const char *key)
{
	struct seen *seen = arg;

	seen->pid = pid;
	snprintf(seen->key, sizeof(seen->key), "%s", key);
	seen->count++;
}

/* As conmon is called: the key follows -n. */
static struct proc start_named(const char *exits)
{
	owned(free) char *path = datadir_path(&dir, "conmon");
	const char *const argv[] = {path, "-F", "-n", "7", KEY, exits, NULL};
	const int fds[] = {-1, -1, -1};
	struct proc proc = PROC_INIT;
	struct err err = ERR_INIT;

	if (proc_start(&(struct proc_spec){.argv = argv, .fds = fds, .fd_count = 3}, &proc, &err) <
	    0)
		fail_msg("%s", err.text);
	return proc;
}

static void names_the_run_of_each_monitor_and_ends_one_alone(void **state)
{
	owned(free) char *exits = datadir_path(&dir, "run/exit");
	owned(proc_done) struct proc named = start_named(exits);
	owned(proc_done) struct proc without = start("conmon", KEY, exits);
	struct seen seen = {0};
	struct err err = ERR_INIT;

	assert_int_equal(strays_each(&dir, see, &seen, &err), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.pid, named.pid);
	assert_string_equal(seen.key, "7");
	assert_true(strays_is(&dir, named.pid, KEY));
	strays_end(&dir, named.pid, OTHER);
	assert_false(ended(&named));
	strays_end(&dir, named.pid, KEY);
	assert_true(ended(&named));
	assert_false(strays_is(&dir, named.pid, KEY));
	assert_false(ended(&without));
	kill_strays(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(kills_the_monitor_and_runc_of_one_run),
		TEST(leaves_alone_what_is_not_ours),
		TEST(names_the_run_of_each_monitor_and_ends_one_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
