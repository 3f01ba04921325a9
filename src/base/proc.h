#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

/*
 * Child processes: the only place that forks and executes. No shell anywhere: argv arrays only.
 *
 * A child gets exactly the descriptors of `fds`, numbered from 0 upwards in their order (-1 becomes
 * /dev/null); all others are closed. Its signal mask and handlers are the defaults.
 */
struct proc_spec {
	const char *const *argv; /* NULL-terminated; argv[0] is a path, or a name found in PATH */
	const char *const *env;  /* NULL-terminated; NULL: inherit ours */
	const char *cwd;         /* NULL: inherit ours */
	const int *fds;
	size_t fd_count;
	/* Called in the child before exec, for rights, namespaces and mounts; -1 with *err ends the
	 * child, and proc_start() fails with that error. May be NULL. */
	int (*prepare)(void *arg, struct err *err);
	void *prepare_arg;
	bool new_group; /* the child leads a process group of its own */
};

struct proc {
	pid_t pid;
	int pidfd; /* readable when the child has ended */
};

#define PROC_INIT ((struct proc){.pid = -1, .pidfd = -1})

/* Start a child; returns after its exec succeeded. Errors: ERR_NOT_FOUND for a missing program. */
must_check int proc_start(const struct proc_spec *spec, struct proc *out, struct err *err);

/* Wait for the end. *status is the exit status, 128 + signal where a signal ended it. */
must_check int proc_wait(struct proc *proc, int *status, struct err *err);

/* Send a signal through the pidfd. A child that has ended is no error. */
void proc_signal(const struct proc *proc, int signal);

/* Kill and reap where that has not happened yet. */
void proc_done(struct proc *proc);
static inline void own_proc_done(struct proc *held)
{
	proc_done(held);
}

/*
 * Run a command to its end: `input` (may be NULL) goes to its stdin, stdout and stderr are appended
 * to `output` (may be NULL: to our stderr). Fails with the last line of the output where the exit
 * status is not 0.
 */
must_check int proc_run(const char *const *argv, const char *input, struct str *output,
			struct err *err);

/*
 * The same for at most `limit_ms`; then the child is killed. `output` must be given. The
 * descriptors of `spec`, at most 8, follow behind the three standard ones. Errors: ERR_BUSY where
 * the time was over.
 */
must_check int proc_run_within(const struct proc_spec *spec, const char *input, struct str *output,
			       int64_t limit_ms, struct err *err);

/* Start time of a process in clock ticks since boot (proc(5), stat field 22); 0 if it is gone. */
uint64_t proc_start_time(pid_t pid);
