#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"

enum { OUTPUT_MAX = 1000000 };

static struct str run(const char *const *argv, const char *input)
{
	struct str out = str_new(OUTPUT_MAX);
	struct err err = ERR_INIT;

	if (proc_run(argv, input, &out, &err) < 0)
		fail_msg("%s: %s", argv[0], err.text);
	return out;
}

static void output_of_both_kinds_is_collected(void **state)
{
	const char *const argv[] = {"/bin/sh", "-c", "echo out; echo err >&2", NULL};
	owned(str_done) struct str out = run(argv, NULL);

	assert_string_equal(out.data, "out\nerr\n");
}

static void input_reaches_the_child(void **state)
{
	const char *const argv[] = {"cat", NULL};
	owned(free) char *big = mem_alloc(300001);
	struct str out;

	memset(big, 'x', 300000); /* more than a pipe holds */
	out = run(argv, big);
	assert_int_equal(out.length, 300000);
	str_done(&out);
}

static void input_that_nobody_reads_is_no_error(void **state)
{
	const char *const argv[] = {"true", NULL};
	owned(free) char *big = mem_alloc(300001);
	owned(str_done) struct str out = str_new(0);

	memset(big, 'x', 300000);
	out = run(argv, big);
	assert_int_equal(out.length, 0);
}

static void arguments_meet_no_shell(void **state)
{
	const char *const argv[] = {"echo", "$(id) ; `id` 'x' *", NULL};
	owned(str_done) struct str out = run(argv, NULL);

	assert_string_equal(out.data, "$(id) ; `id` 'x' *\n");
}

static void failure_tells_the_last_line(void **state)
{
	const char *const argv[] = {"/bin/sh", "-c", "echo first; echo no such thing; exit 3",
				    NULL};
	owned(str_done) struct str out = str_new(100);
	struct err err = ERR_INIT;

	str_add(&out, "older line");
	assert_int_equal(proc_run(argv, NULL, &out, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_string_equal(err.text, "sh: no such thing");
}

static void failure_without_output_tells_the_status(void **state)
{
	const char *const argv[] = {"/bin/sh", "-c", "kill -9 $$", NULL};
	struct err err = ERR_INIT;
	owned(str_done) struct str out = str_new(100);

	str_add(&out, "older line");
	assert_int_equal(proc_run(argv, NULL, &out, &err), -1);
	assert_string_equal(err.text, "sh ended with status 137");
	assert_int_equal(proc_run(argv, NULL, NULL, &err), -1);
	assert_string_equal(err.text, "sh ended with status 137");
}

static void output_over_the_limit_is_an_error_and_no_hang(void **state)
{
	const char *const argv[] = {"head", "-c", "200000", "/dev/zero", NULL};
	owned(str_done) struct str out = str_new(10);
	struct err err = ERR_INIT;

	assert_int_equal(proc_run(argv, NULL, &out, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static void a_daemon_left_behind_does_not_hold_us(void **state)
{
	const char *const argv[] = {"/bin/sh", "-c", "sleep 30 & echo $!", NULL};
	owned(str_done) struct str out = run(argv, NULL);
	int pid = (int)strtol(out.data, NULL, 10);

	assert_true(pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0); /* it still ran */
}

static void what_takes_too_long_is_ended(void **state)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	owned(str_done) struct str output = str_new(100);
	struct err err = ERR_INIT;

	assert_int_equal(
		proc_run_within(&(struct proc_spec){.argv = argv}, NULL, &output, 50, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_string_equal(err.text, "sleep takes too long and was ended");
}

static void a_missing_program_is_found_out_at_start(void **state)
{
	const char *const in_path[] = {"no-such-program-here", NULL};
	const char *const by_path[] = {"/no/such/program", NULL};
	struct err err = ERR_INIT;

	assert_int_equal(proc_run(in_path, NULL, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err.text, "there is no program no-such-program-here");
	assert_int_equal(proc_run(by_path, NULL, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err.text, "there is no program program");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
	assert_int_equal(errno, ECHILD);
}

static void what_is_no_program_is_not_given_to_a_shell(void **state)
{
	char dir[] = "/tmp/espace-proc-XXXXXX";
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(dir));

	owned(free) char *path = mem_format("%s/script", dir);
	const char *const argv[] = {path, NULL};

	assert_int_equal(file_write(AT_FDCWD, path, "exit 0\n", 7, 0755, &err), 0);
	assert_int_equal(proc_run(argv, NULL, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
	assert_string_equal(err.text, "start script: Exec format error");
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(proc_run(argv, NULL, NULL, &err), -1);
	assert_string_equal(err.text, "start script: Permission denied");
	assert_int_equal(file_remove_tree(AT_FDCWD, dir, &err), 0);
}

/* Start with stdout into a pipe, and read all of it. */
static struct str run_spec(struct proc_spec *spec, int *status)
{
	owned(proc_done) struct proc proc = PROC_INIT;
	struct str out = str_new(OUTPUT_MAX);
	struct err err = ERR_INIT;
	char path[64];
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);

	int fds[] = {-1, ends[1], ends[1]};

	spec->fds = fds;
	spec->fd_count = 3;
	if (proc_start(spec, &proc, &err) < 0)
		fail_msg("%s", err.text);
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	assert_int_equal(file_read(AT_FDCWD, path, &out, &err), 0);
	close(ends[0]);
	assert_int_equal(proc_wait(&proc, status, &err), 0);
	assert_int_equal(proc.pidfd, -1);
	return out;
}

static void a_child_has_exactly_its_descriptors(void **state)
{
	const char *const argv[] = {"/bin/ls", "/proc/self/fd", NULL};
	struct proc_spec spec = {.argv = argv};
	int status, leak = open("/dev/null", O_RDONLY); /* without close-on-exec */
	owned(str_done) struct str out = run_spec(&spec, &status);

	close(leak);
	assert_int_equal(status, 0);
	assert_string_equal(out.data, "0\n1\n2\n3\n"); /* 3 is the folder that ls reads */
}

static void descriptors_may_change_places(void **state)
{
	const char *const argv[] = {"/bin/sh", "-c", "echo three >&3; echo four >&4", NULL};
	struct err err = ERR_INIT;
	owned(proc_done) struct proc proc = PROC_INIT;
	int a[2], b[2], status;
	char text[16];

	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	/* Wherever these lie, one of the targets 3 and 4 is the source of the other. */
	assert_int_equal(dup3(a[1], 23, O_CLOEXEC), 23);
	assert_int_equal(dup3(b[1], 24, O_CLOEXEC), 24);

	int saved3 = fcntl(3, F_DUPFD_CLOEXEC, 30), saved4 = fcntl(4, F_DUPFD_CLOEXEC, 30);
	int read_a = fcntl(a[0], F_DUPFD_CLOEXEC, 40), read_b = fcntl(b[0], F_DUPFD_CLOEXEC, 40);

	dup3(24, 3, O_CLOEXEC);
	dup3(23, 4, O_CLOEXEC);

	const int fds[] = {-1, 2, 2, 4, 3};
	struct proc_spec spec = {.argv = argv, .fds = fds, .fd_count = 5};

	assert_int_equal(proc_start(&spec, &proc, &err), 0);
	assert_int_equal(proc_wait(&proc, &status, &err), 0);
	assert_int_equal(status, 0);
	assert_int_equal(read(read_a, text, sizeof(text)), 6);
	assert_memory_equal(text, "three\n", 6);
	assert_int_equal(read(read_b, text, sizeof(text)), 5);
	assert_memory_equal(text, "four\n", 5);
	for (int fd = 3; fd < 64; fd++) {
		if (fd != saved3 && fd != saved4)
			close(fd);
	}
	close(saved3);
	close(saved4);
}

static void environment_and_directory_are_given(void **state)
{
	const char *const argv[] = {"/bin/sh", "-c", "echo $A $HOME; pwd", NULL};
	const char *const env[] = {"A=b", NULL};
	struct proc_spec spec = {.argv = argv, .env = env, .cwd = "/usr"};
	int status;
	owned(str_done) struct str out = run_spec(&spec, &status);

	assert_string_equal(out.data, "b\n/usr\n");
}

static void ignore(int number)
{
}

static void signals_are_back_to_their_defaults(void **state)
{
	const char *const argv[] = {"grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status", NULL};
	struct proc_spec spec = {.argv = argv};
	sigset_t some;
	int status;

	sigemptyset(&some);
	sigaddset(&some, SIGTERM);
	sigprocmask(SIG_BLOCK, &some, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, ignore);

	owned(str_done) struct str out = run_spec(&spec, &status);

	sigprocmask(SIG_UNBLOCK, &some, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	assert_non_null(strstr(out.data, "SigBlk:\t0000000000000000\n"));
	assert_non_null(strstr(out.data, "SigIgn:\t0000000000000000\n"));
}

static int refuse(void *arg, struct err *err)
{
	return err_set(err, ERR_DENIED, "not %s", (const char *)arg);
}

static void prepare_can_refuse(void **state)
{
	const char *const argv[] = {"true", NULL};
	struct proc_spec spec = {.argv = argv, .prepare = refuse, .prepare_arg = "today"};
	struct proc proc = PROC_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(proc_start(&spec, &proc, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_string_equal(err.text, "not today");
	assert_int_equal(proc.pidfd, -1);
}

static int die(void *arg, struct err *err)
{
	_exit(3);
}

/* The end of the pipe reads like an exec; whoever waits learns of it. */
static void a_child_that_dies_before_exec_ends_like_a_program(void **state)
{
	const char *const argv[] = {"true", NULL};
	struct proc_spec spec = {.argv = argv, .prepare = die};
	owned(proc_done) struct proc proc = PROC_INIT;
	struct err err = ERR_INIT;
	int status;

	assert_int_equal(proc_start(&spec, &proc, &err), 0);
	assert_int_equal(proc_wait(&proc, &status, &err), 0);
	assert_int_equal(status, 3);
}

static void done_kills_and_reaps(void **state)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	struct proc_spec spec = {.argv = argv, .new_group = true};
	struct proc proc = PROC_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(proc_start(&spec, &proc, &err), 0);

	pid_t pid = proc.pid;

	assert_int_equal(getpgid(pid), pid);
	assert_true(proc_start_time(pid) > 0);
	proc_done(&proc);
	assert_int_equal(proc.pidfd, -1);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	proc_done(&proc); /* twice does no harm */
}

static void a_signal_is_told_by_the_status(void **state)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	struct proc_spec spec = {.argv = argv};
	struct proc proc = PROC_INIT;
	struct err err = ERR_INIT;
	int status;

	proc_signal(&proc, SIGTERM); /* none: no harm */
	assert_int_equal(proc_start(&spec, &proc, &err), 0);
	proc_signal(&proc, SIGTERM);
	assert_int_equal(proc_wait(&proc, &status, &err), 0);
	assert_int_equal(status, 128 + SIGTERM);
	proc_signal(&proc, SIGTERM);
}

static void start_times_tell_processes_apart(void **state)
{
	assert_true(proc_start_time(getpid()) > 0);
	assert_int_equal(proc_start_time(getpid()), proc_start_time(getpid()));
	assert_int_equal(proc_start_time(0x7ffffffe), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_of_both_kinds_is_collected),
		cmocka_unit_test(input_reaches_the_child),
		cmocka_unit_test(input_that_nobody_reads_is_no_error),
		cmocka_unit_test(arguments_meet_no_shell),
		cmocka_unit_test(failure_tells_the_last_line),
		cmocka_unit_test(failure_without_output_tells_the_status),
		cmocka_unit_test(output_over_the_limit_is_an_error_and_no_hang),
		cmocka_unit_test(a_daemon_left_behind_does_not_hold_us),
		cmocka_unit_test(what_takes_too_long_is_ended),
		cmocka_unit_test(a_missing_program_is_found_out_at_start),
		cmocka_unit_test(what_is_no_program_is_not_given_to_a_shell),
		cmocka_unit_test(a_child_has_exactly_its_descriptors),
		cmocka_unit_test(descriptors_may_change_places),
		cmocka_unit_test(environment_and_directory_are_given),
		cmocka_unit_test(signals_are_back_to_their_defaults),
		cmocka_unit_test(prepare_can_refuse),
		cmocka_unit_test(a_child_that_dies_before_exec_ends_like_a_program),
		cmocka_unit_test(done_kills_and_reaps),
		cmocka_unit_test(a_signal_is_told_by_the_status),
		cmocka_unit_test(start_times_tell_processes_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
