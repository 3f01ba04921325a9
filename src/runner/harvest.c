#include "runner/harvest.h"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/proc.h"
#include "runner/upper.h"

enum {
	RELEASE_TIMEOUT_MS = 30 * 1000, /* a full image has much to write */
	POLL_MS = 5,
	TARGET_FD = 3,
};

struct plan {
	const char *device;
	const char *place; /* where it is mounted: in the run's bundle */
	uid_t user;
};

/* The namespaces of the ended run are taken down by the kernel, some moments after its processes.
 */
static int wait_released(int image, struct err *err)
{
	int64_t until_ms = clock_mono_ms() + RELEASE_TIMEOUT_MS;

	while (upper_is_held(image)) {
		if (clock_mono_ms() > until_ms)
			return err_set(err, ERR_SYSTEM, "the disk of the build stays in use");
		nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
	}
	return 0;
}

/* In the child that becomes cp. */
static int enter(void *arg, struct err *err)
{
	const struct plan *plan = arg;
	unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(err, "make a mount namespace");
	if (mount(plan->device, plan->place, "ext4", flags, NULL) < 0)
		return err_sys(err, "mount a disk image");
	if (fchdir(TARGET_FD) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(plan->user, plan->user, plan->user) < 0 ||
	    setresuid(plan->user, plan->user, plan->user) < 0)
		return err_sys(err, "become the user of layers");
	return 0;
}

int harvest(const struct datadir *dir, const struct record *record, int image, int target,
	    struct err *err)
{
	owned(upper_done) struct upper upper = UPPER_INIT;
	owned(free) char *place = datadir_path(dir, "run/bundles/%s/upper", record->run.key);
	owned(free) char *source = mem_format("%s/build/out-%s/.", place, record->run.key);
	/* Modes by our umask: readable for all, and nothing runs as another user. */
	const char *const argv[] = {
		"cp", "-dR", "--preserve=timestamps,links", "--sparse=always", "--", source,
		".",  NULL};
	const int fds[] = {-1, -1, -1, target};
	struct plan plan = {.place = place, .user = dir->ids_base};
	struct proc_spec spec = {
		.argv = argv, .fds = fds, .fd_count = 4, .prepare = enter, .prepare_arg = &plan};
	owned(proc_done) struct proc child = PROC_INIT;
	int status;

	if (wait_released(image, err) < 0 || upper_reopen(image, true, &upper, err) < 0)
		return -1;
	plan.device = upper.device;
	if (proc_start(&spec, &child, err) < 0 || proc_wait(&child, &status, err) < 0)
		return err_in(err, "copy of the environment");
	if (status != 0) /* what cp says names files as the build's author did */
		return err_set(err, ERR_INVALID, "a file of the environment can't be copied");
	return 0;
}
