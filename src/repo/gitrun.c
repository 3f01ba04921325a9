#include "repo/gitrun.h"

#include <assert.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/proc.h"

enum { ARGUMENTS_MAX = 40, LOW_PRIORITY = 19 };

struct arguments {
	const char *list[ARGUMENTS_MAX + 1];
	size_t count;
};

static void add(struct arguments *arguments, const char *const *list)
{
	for (; list && *list; list++) {
		assert(arguments->count < ARGUMENTS_MAX);
		arguments->list[arguments->count++] = *list;
	}
}

/* In the child. A push must not wait for the processor because of us. */
static int be_modest(void *arg, struct err *err)
{
	if (setpriority(PRIO_PROCESS, 0, LOW_PRIORITY) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(err, "prepare git");
	return 0;
}

int gitrun(const struct gitrun *run, struct str *output, struct err *err)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1",
					  "GIT_CONFIG_GLOBAL=/dev/null", NULL};
	owned(free) char *where = mem_format("--git-dir=%s", run->path);
	const char *const first[] = {"git", where, NULL};
	struct arguments arguments = {0};

	add(&arguments, first);
	add(&arguments, run->options);
	add(&arguments, run->command);
	return proc_run_within(&(struct proc_spec){.argv = arguments.list,
						   .env = env,
						   .fds = run->held,
						   .fd_count = run->held_count,
						   .prepare = be_modest},
			       run->input, output, run->limit_ms, err);
}
