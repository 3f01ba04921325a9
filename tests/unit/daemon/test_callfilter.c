#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/callfilter.h"
#include "outcome.h"

enum { DEADLY = 128 + SIGSYS };

/* 0, or the errno of an act behind the filter. */
static int behind(const void *arg)
{
	int (*const *act)(void) = arg;
	struct err err = ERR_INIT;

	/* As in a hub: without it only root may load a filter. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || callfilter_enter(&err) < 0)
		return 255;
	errno = 0;
	return (*act)() < 0 ? errno : 0;
}

static int outcome(int (*act)(void))
{
	return outcome_of(behind, (const void *)&act);
}

static int trace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int mount_something(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static int take_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int set_up_ring(void)
{
	struct io_uring_params params = {0};

	return (int)syscall(SYS_io_uring_setup, 1, &params);
}

static int read_keys(void)
{
	return (int)syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0);
}

static int load_program(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int change_user(void)
{
	return setuid(getuid());
}

static int load_module(void)
{
	return (int)syscall(SYS_init_module, NULL, 0, "");
}

static int read_memory_of_others(void)
{
	return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static void an_attack_ends_the_process(void **state)
{
	assert_int_equal(outcome(trace), DEADLY);
	assert_int_equal(outcome(mount_something), DEADLY);
	assert_int_equal(outcome(take_namespace), DEADLY);
	assert_int_equal(outcome(set_up_ring), DEADLY);
	assert_int_equal(outcome(read_keys), DEADLY);
	assert_int_equal(outcome(load_program), DEADLY);
	assert_int_equal(outcome(change_user), DEADLY);
	assert_int_equal(outcome(load_module), DEADLY);
	assert_int_equal(outcome(read_memory_of_others), DEADLY);
}

static int listen_somewhere(void)
{
	const struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? 0 : bind(fd, (const struct sockaddr *)&address, sizeof(address));
}

static int open_raw_socket(void)
{
	return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
}

static int open_datagram_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static int open_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static int open_local_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int map_code(void)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return code == MAP_FAILED ? -1 : 0;
}

static int make_code_of_data(void)
{
	void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return data == MAP_FAILED ? 0 : mprotect(data, 4096, PROT_READ | PROT_EXEC);
}

static int clone_into_namespace(void)
{
	return (int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
}

static int allow_core_files(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void what_no_hub_needs_is_refused(void **state)
{
	assert_int_equal(outcome(listen_somewhere), ENOSYS);
	assert_int_equal(outcome(open_raw_socket), ENOSYS);
	assert_int_equal(outcome(open_datagram_socket), ENOSYS);
	assert_int_equal(outcome(open_netlink), ENOSYS);
	assert_int_equal(outcome(open_local_socket), ENOSYS);
	assert_int_equal(outcome(map_code), ENOSYS);
	assert_int_equal(outcome(make_code_of_data), ENOSYS);
	assert_int_equal(outcome(clone_into_namespace), ENOSYS);
	assert_int_equal(outcome(allow_core_files), ENOSYS);
}

/* What the hub writes about it: one line on a pipe in the place of stderr. */
static int refuse_into_pipe(const void *arg)
{
	const int *ends = arg;
	int (*act)(void) = open_netlink;

	if (dup2(ends[1], STDERR_FILENO) < 0)
		return 255;
	return behind((const void *)&act);
}

static void a_refused_call_is_in_the_log(void **state)
{
	char expected[64];
	char line[256] = "";
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(outcome_of(refuse_into_pipe, ends), ENOSYS);
	close(ends[1]);
	assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
	close(ends[0]);
	snprintf(expected, sizeof(expected), "calls.refused call=%d\n", SYS_socket);
	assert_non_null(strstr(line, expected));
}

static void *count(void *arg)
{
	++*(int *)arg;
	return NULL;
}

static int start_thread(void)
{
	pthread_t thread;
	int counted = 0;

	if (pthread_create(&thread, NULL, count, &counted) != 0)
		return -1;
	pthread_join(thread, NULL);
	return counted == 1 ? 0 : -1;
}

static int connect_to_nobody(void)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons(9), /* discard */
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	connect(fd, (const struct sockaddr *)&address, sizeof(address));
	return errno == ENOSYS ? -1 : 0;
}

static int run_git(void)
{
	char *const argv[] = {"git", "hash-object", "--stdin", NULL};
	char *const env[] = {NULL};
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		execve("/usr/bin/git", argv, env);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static void what_the_hub_does_works(void **state)
{
	assert_int_equal(outcome(start_thread), 0);
	assert_int_equal(outcome(connect_to_nobody), 0);
	assert_int_equal(outcome(run_git), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_attack_ends_the_process),
		cmocka_unit_test(what_no_hub_needs_is_refused),
		cmocka_unit_test(a_refused_call_is_in_the_log),
		cmocka_unit_test(what_the_hub_does_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
