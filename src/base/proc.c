#include "base/proc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"

enum {
	FDS_MAX = 64,
	MORE_FDS_MAX = 8, /* of proc_run_within() */
	EXEC_FAILED = 127,
	STAT_MAX_BYTES = 4096,
	START_TIME_FIELD = 22, /* proc(5) */
	OUTPUT_CHUNK_BYTES = 4096,
};

/*
 * The child of a program with threads: what runs until exec calls system functions, the prepare
 * callback, and formats into buffers of its own.
 */

/* fork() keeps handlers; ours make no sense in the child. Errors mean a signal that has no choice.
 */
static void reset_signals(void)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number < _NSIG; number++)
		sigaction(number, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Number the descriptors from 0. A source may lie where another must go, so all are first copied
 * above the targets. *report moves out of the way too.
 */
static int place_fds(const struct proc_spec *spec, int *report, struct err *err)
{
	int count = (int)spec->fd_count;
	int copies[FDS_MAX];

	*report = fcntl(*report, F_DUPFD_CLOEXEC, count);
	if (*report < 0)
		return err_sys(err, "move a descriptor");
	for (int i = 0; i < count; i++) {
		int from = spec->fds[i];

		if (from < 0)
			from = open("/dev/null", O_RDWR | O_CLOEXEC);
		copies[i] = fcntl(from, F_DUPFD_CLOEXEC, count);
		if (copies[i] < 0)
			return err_sys(err, "pass descriptor %d", i);
	}
	for (int i = 0; i < count; i++) {
		if (dup2(copies[i], i) < 0)
			return err_sys(err, "pass descriptor %d", i);
	}
	/* At exec, not now: the prepare callback may need what it opened before. */
	if (close_range((unsigned)count, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(err, "close_range");
	return 0;
}

/* execvp(3) without its shell: that one hands a file of unknown format to /bin/sh. */
static void exec_in_path(const struct proc_spec *spec, char *const *env)
{
	char *const *argv = (char *const *)spec->argv;
	const char *dirs = getenv("PATH");
	bool denied = false;
	char path[PATH_MAX];

	if (strchr(argv[0], '/')) {
		execve(argv[0], argv, env);
		return;
	}
	if (!dirs || !*dirs)
		dirs = "/usr/sbin:/usr/bin:/sbin:/bin";
	while (dirs) {
		const char *end = strchrnul(dirs, ':');
		int length =
			snprintf(path, sizeof(path), "%.*s/%s", (int)(end - dirs), dirs, argv[0]);

		if (end > dirs && length < (int)sizeof(path)) {
			execve(path, argv, env);
			if (errno == EACCES)
				denied = true;
			else if (errno != ENOENT && errno != ENOTDIR)
				return;
		}
		dirs = *end ? end + 1 : NULL;
	}
	errno = denied ? EACCES : ENOENT;
}

/* Errors of a child name its program, not where it lies. */
static const char *program_name(const char *const *argv)
{
	const char *slash = strrchr(argv[0], '/');

	return slash ? slash + 1 : argv[0];
}

static int become(const struct proc_spec *spec, int *report, struct err *err)
{
	reset_signals();
	if (place_fds(spec, report, err) < 0)
		return -1;
	if (spec->new_group && setpgid(0, 0) < 0)
		return err_sys(err, "setpgid");
	if (spec->prepare && spec->prepare(spec->prepare_arg, err) < 0)
		return -1;
	if (spec->cwd && chdir(spec->cwd) < 0)
		return err_sys(err, "enter the working directory");
	exec_in_path(spec, spec->env ? (char *const *)spec->env : environ);
	if (errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "there is no program %s",
			       program_name(spec->argv));
	return err_sys(err, "start %s", program_name(spec->argv));
}

static _Noreturn void run_child(const struct proc_spec *spec, int report)
{
	struct err err = ERR_INIT;

	become(spec, &report, &err);
	(void)!write(report, &err, sizeof(err)); /* in one piece: smaller than PIPE_BUF */
	_exit(EXEC_FAILED);
}

/* End of file: the exec has closed the pipe. */
static int read_report(int fd, struct err *err)
{
	struct err report;
	ssize_t got;

	do {
		got = read(fd, &report, sizeof(report));
	} while (got < 0 && errno == EINTR);
	if (got == 0)
		return 0;
	if (got != (ssize_t)sizeof(report))
		return err_set(err, ERR_SYSTEM, "a child ended before it started its program");
	report.text[ERR_TEXT_MAX - 1] = '\0';
	*err = report;
	return -1;
}

/* Signals wait while there are two of us, so that no handler of ours runs in the child. */
static pid_t fork_quietly(const struct proc_spec *spec, int report)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);

	pid_t pid = fork();

	if (pid == 0)
		run_child(spec, report);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

int proc_start(const struct proc_spec *spec, struct proc *out, struct err *err)
{
	owned(proc_done) struct proc proc = PROC_INIT;
	int ends[2];

	assert(spec->fd_count <= FDS_MAX);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "pipe");

	owned(close) int reading = ends[0];
	owned(close) int writing = ends[1];

	proc.pid = fork_quietly(spec, writing);
	if (proc.pid < 0)
		return err_sys(err, "fork");
	close(take_fd(&writing));
	proc.pidfd = pidfd_open(proc.pid, 0); /* ours and not reaped: the pid can't be another's */
	if (proc.pidfd < 0) {
		err_sys(err, "pidfd_open");
		kill(proc.pid, SIGKILL);
		waitpid(proc.pid, NULL, 0);
		return -1;
	}
	if (read_report(reading, err) < 0)
		return -1;
	*out = proc;
	proc = PROC_INIT;
	return 0;
}

int proc_wait(struct proc *proc, int *status, struct err *err)
{
	siginfo_t info = {0};
	int done;

	do {
		done = waitid(P_PIDFD, (id_t)proc->pidfd, &info, WEXITED);
	} while (done < 0 && errno == EINTR);
	if (done < 0)
		return err_sys(err, "wait for a child");
	*status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	close(proc->pidfd);
	*proc = PROC_INIT;
	return 0;
}

void proc_signal(const struct proc *proc, int signal)
{
	if (proc->pidfd >= 0)
		pidfd_send_signal(proc->pidfd, signal, NULL, 0);
}

void proc_done(struct proc *proc)
{
	struct err err = ERR_INIT;
	int status;

	if (proc->pidfd < 0)
		return;
	proc_signal(proc, SIGKILL);
	if (proc_wait(proc, &status, &err) < 0) { /* somebody else has reaped it */
		close(proc->pidfd);
		*proc = PROC_INIT;
	}
}

/*
 * The input as a file in memory: a child may read it late, in part or not at all, without that we
 * block or meet SIGPIPE.
 */
static int open_input(const char *input, int *out, struct err *err)
{
	owned(close) int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "memfd_create");
	if (file_put(fd, input, strlen(input), err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "lseek");
	*out = take_fd(&fd);
	return 0;
}

/* True at the end of the output. What passes the limit of `output` is read and dropped. */
static bool drain(int fd, struct str *output)
{
	char chunk[OUTPUT_CHUNK_BYTES];

	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got > 0)
			str_add_n(output, chunk, (size_t)got);
		else if (got == 0 || errno != EINTR)
			return got == 0 || errno != EAGAIN;
	}
}

/*
 * Until the end of the child, not of the pipe: a daemon that it leaves behind may keep that open.
 * False where the time is over before. `until_ms` 0: no limit.
 */
static bool collect(int fd, const struct proc *proc, struct str *output, int64_t until_ms)
{
	struct pollfd polls[] = {{.fd = fd, .events = POLLIN},
				 {.fd = proc->pidfd, .events = POLLIN}};

	while (!polls[1].revents) {
		int64_t left_ms = until_ms ? until_ms - clock_mono_ms() : -1;

		if (until_ms && left_ms <= 0)
			return false;
		if (poll(polls, 2, left_ms > INT_MAX ? INT_MAX : (int)left_ms) < 0)
			continue; /* EINTR; all else is our own mistake */
		if (polls[0].revents && drain(fd, output))
			polls[0].fd = -1;
	}
	if (polls[0].fd >= 0)
		drain(fd, output);
	return true;
}

static int start_piped(const struct proc_spec *spec, int in, int *reading, struct proc *proc,
		       struct err *err)
{
	struct proc_spec piped = *spec;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "pipe");
	*reading = ends[0];

	owned(close) int writing = ends[1];
	int fds[3 + MORE_FDS_MAX] = {in, writing, writing};

	assert(spec->fd_count <= MORE_FDS_MAX);
	for (size_t i = 0; i < spec->fd_count; i++)
		fds[3 + i] = spec->fds[i];
	piped.fds = fds;
	piped.fd_count = 3 + spec->fd_count;
	if (fcntl(*reading, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(err, "fcntl");
	return proc_start(&piped, proc, err);
}

static int start_plain(const struct proc_spec *spec, int in, struct proc *proc, struct err *err)
{
	const int fds[] = {in, STDERR_FILENO, STDERR_FILENO};
	struct proc_spec plain = *spec;

	plain.fds = fds;
	plain.fd_count = 3;
	return proc_start(&plain, proc, err);
}

static int failed(const char *const *argv, int status, const char *output, struct err *err)
{
	size_t end = output ? strlen(output) : 0;

	while (end > 0 && strchr("\r\n \t", output[end - 1]))
		end--;

	size_t start = end;

	while (start > 0 && output[start - 1] != '\n')
		start--;
	if (end > start)
		return err_set(err, ERR_SYSTEM, "%s: %.*s", program_name(argv), (int)(end - start),
			       output + start);
	return err_set(err, ERR_SYSTEM, "%s ended with status %d", program_name(argv), status);
}

static int run(const struct proc_spec *spec, const char *input, struct str *output,
	       int64_t until_ms, struct err *err)
{
	const char *const *argv = spec->argv;
	owned(proc_done) struct proc proc = PROC_INIT;
	owned(close) int in = -1;
	owned(close) int reading = -1;
	size_t before = output ? output->length : 0;
	int status;

	if (input && open_input(input, &in, err) < 0)
		return -1;
	if (output ? start_piped(spec, in, &reading, &proc, err) < 0
		   : start_plain(spec, in, &proc, err) < 0)
		return -1;
	if (output && !collect(reading, &proc, output, until_ms))
		return err_set(err, ERR_BUSY, "%s takes too long and was ended",
			       program_name(argv));
	if (proc_wait(&proc, &status, err) < 0)
		return -1;
	if (status != 0)
		return failed(argv, status, output ? output->data + before : NULL, err);
	return output ? str_check(output, "the output", err) : 0;
}

int proc_run(const char *const *argv, const char *input, struct str *output, struct err *err)
{
	return run(&(struct proc_spec){.argv = argv}, input, output, 0, err);
}

int proc_run_within(const struct proc_spec *spec, const char *input, struct str *output,
		    int64_t limit_ms, struct err *err)
{
	return run(spec, input, output, clock_mono_ms() + limit_ms, err);
}

uint64_t proc_start_time(pid_t pid)
{
	owned(str_done) struct str stat = str_new(STAT_MAX_BYTES);
	struct err err = ERR_INIT;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(AT_FDCWD, path, &stat, &err) < 0)
		return 0; /* gone */

	/* Field 2 is the name in parentheses and may hold anything, blanks and ')' too. */
	const char *at = strrchr(stat.data, ')');

	for (int field = 2; at && field < START_TIME_FIELD; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}
