#include "daemon/role.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "daemon/rights.h"

static const char *const names[ROLE_COUNT] = {[ROLE_HUB] = "hub", [ROLE_RUNNER] = "runner"};

/* Files of run/ whose lock stands for the role; each may be opened by its role's user. */
static const char *const locks[ROLE_COUNT] = {
	[ROLE_HUB] = "run/routes", [ROLE_RUNNER] = "run/bundles"};

enum { CLAIM_TRIES = 300, CLAIM_PAUSE_NS = 50 * 1000 * 1000 };

const char *role_name(enum role role)
{
	return names[role];
}

int role_claim(const struct datadir *dir, enum role role, int *out, struct err *err)
{
	owned(close) int fd = openat(dir->fd, locks[role], O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open %s", locks[role]);
	for (int i = 0; i < CLAIM_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB)) {
			*out = take_fd(&fd);
			return 0;
		}
		nanosleep(&(struct timespec){.tv_nsec = CLAIM_PAUSE_NS}, NULL);
	}
	return err_set(err, ERR_BUSY, "an earlier %s of this data directory does not end",
		       names[role]);
}

int role_drop_rights(const struct datadir *dir, struct err *err)
{
	if (rights_bound(RIGHTS_NONE, err) < 0)
		return -1;
	if (setgroups(1, &dir->www) < 0 || setresgid(dir->group, dir->group, dir->group) < 0 ||
	    setresuid(dir->owner, dir->owner, dir->owner) < 0)
		return err_sys(err, "become the user of the data directory");
	return 0;
}

int role_hide(struct err *err)
{
	const struct rlimit none = {0, 0}; /* for children, too; a pipe for core files ignores it */

	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "give up core files");
	json_wipe_freed();
	return 0;
}
