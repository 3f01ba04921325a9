#include "daemon/callfilter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <ucontext.h>

#include "base/log.h"
#include "base/own.h"

/* Where a system call leaves its result. */
#if defined(__x86_64__)
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#else
#error "callfilter: where does this machine leave the result of a system call?"
#endif

static const struct call {
	int number;
	uint32_t action;
} calls[] = {
#define CALL(name)   {SCMP_SYS(name), SCMP_ACT_ALLOW},
#define DEADLY(name) {SCMP_SYS(name), SCMP_ACT_KILL_PROCESS},
#include "daemon/calls.def"
#undef CALL
#undef DEADLY
};

/* What depends on arguments: allowed where (argument & mask) == value for each of them. */
#define BITS(argument, mask, value) SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value)
#define IS(argument, value)         SCMP_CMP(argument, SCMP_CMP_EQ, value)
#define TYPE_FLAGS                  ((scmp_datum_t)(SOCK_CLOEXEC | SOCK_NONBLOCK)) /* socket(2) */
#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWCGROUP)
#define SET_VMA 0x53564d41 /* prctl(2): a name for memory, newer than the headers */

static const struct careful {
	int number;
	unsigned count;
	struct scmp_arg_cmp arguments[2];
} carefuls[] = {
	/* Streams to apps and to our own address. Listening sockets come from the keeper. */
	{SCMP_SYS(socket), 2, {IS(0, AF_INET), BITS(1, ~TYPE_FLAGS, SOCK_STREAM)}},
	{SCMP_SYS(socket), 2, {IS(0, AF_INET6), BITS(1, ~TYPE_FLAGS, SOCK_STREAM)}},
	/* Code comes from files, for the dynamic linker of a child, and is never writable. */
	{SCMP_SYS(mmap), 1, {BITS(2, PROT_EXEC, 0)}},
	{SCMP_SYS(mmap),
	 2,
	 {BITS(2, PROT_EXEC | PROT_WRITE, PROT_EXEC), BITS(3, MAP_ANONYMOUS, 0)}},
	{SCMP_SYS(mprotect), 1, {BITS(2, PROT_EXEC, 0)}},
	{SCMP_SYS(clone), 1, {BITS(0, NEW_NAMESPACES, 0)}},
	{SCMP_SYS(prctl), 1, {IS(0, PR_SET_NAME)}},
	{SCMP_SYS(prctl), 1, {IS(0, PR_SET_PDEATHSIG)}},
	{SCMP_SYS(prctl), 1, {IS(0, SET_VMA)}},
	{SCMP_SYS(prlimit64), 1, {IS(2, 0)}}, /* reading one's own */
	{SCMP_SYS(ioctl), 1, {IS(1, TCGETS)}},
	{SCMP_SYS(ioctl), 1, {IS(1, FIONREAD)}},
	{SCMP_SYS(ioctl), 1, {IS(1, FIONBIO)}},
};

/*
 * In the thread that made the call, which it ends with ENOSYS. log_line() is good enough for that:
 * it takes no lock and no memory, and no refused call comes out of its middle.
 */
static void refuse(int signal, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;

	log_warn("calls.refused", "call=%d", info->si_syscall);
	RESULT(interrupted) = -ENOSYS;
}

static int failed(int result, const char *what, struct err *err)
{
	errno = -result;
	return err_sys(err, "%s", what);
}

static int add_rules(scmp_filter_ctx filter)
{
	/* Its flags lie in memory, where no filter sees them: the C library then takes clone. */
	int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (size_t i = 0; !result && i < sizeof(calls) / sizeof(calls[0]); i++)
		result = seccomp_rule_add(filter, calls[i].action, calls[i].number, 0);
	for (size_t i = 0; !result && i < sizeof(carefuls) / sizeof(carefuls[0]); i++)
		result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, carefuls[i].number,
						carefuls[i].count, carefuls[i].arguments);
	return result;
}

static void own_seccomp_release(scmp_filter_ctx *held)
{
	if (*held)
		seccomp_release(*held);
}

int callfilter_enter(struct err *err)
{
	const struct sigaction handler = {.sa_sigaction = refuse,
					  .sa_flags = SA_SIGINFO | SA_NODEFER};
	owned(seccomp_release) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int result;

	if (!filter)
		return err_set(err, ERR_SYSTEM, "no filter of system calls on this machine");
	if (sigaction(SIGSYS, &handler, NULL) < 0)
		return err_sys(err, "watch for refused calls");
	result = add_rules(filter);
	if (result < 0)
		return failed(result, "choose the system calls", err);
	/* A search tree instead of a list; all other kinds of calls (i386, x32) end the process. */
	if ((result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2)) < 0 ||
	    (result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) <
		    0 ||
	    (result = seccomp_load(filter)) < 0)
		return failed(result, "enter the filter of system calls", err);
	return 0;
}
