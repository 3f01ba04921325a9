#include "daemon/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"

/* landlock(7): what is newer than the kernel headers of Debian 12. */
enum {
	VERSION_REFER = 2,
	VERSION_TRUNCATE = 3,
	VERSION_NET = 4,
	VERSION_IOCTL = 5,
	VERSION_SCOPE = 6,
};

#define ACCESS_TRUNCATE  (1ULL << 14)
#define ACCESS_IOCTL_DEV (1ULL << 15)
#define ACCESS_BIND_TCP  (1ULL << 0)
#define SCOPE_ABSTRACT   (1ULL << 0)
#define SCOPE_SIGNAL     (1ULL << 1)

#define ACCESS_READ      (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_CHANGE                                                                           \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                        \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                         \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | \
	 ACCESS_TRUNCATE)
/* Special files, and controlling devices: nobody may. */
#define ACCESS_NEVER                                                    \
	(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | ACCESS_IOCTL_DEV)
#define ACCESS_OF_FILES                                                 \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	 LANDLOCK_ACCESS_FS_EXECUTE | ACCESS_TRUNCATE)

static const uint64_t rights[] = {
	[FENCE_READ] = ACCESS_READ,
	[FENCE_RUN] = ACCESS_READ | LANDLOCK_ACCESS_FS_EXECUTE,
	[FENCE_WRITE] = ACCESS_READ | ACCESS_CHANGE,
};

/* struct landlock_ruleset_attr of version 6; an older kernel is told of its first fields only. */
struct ruleset {
	uint64_t files;
	uint64_t net;
	uint64_t scoped;
};

static size_t size_for(int version)
{
	if (version >= VERSION_SCOPE)
		return sizeof(struct ruleset);
	return version >= VERSION_NET ? offsetof(struct ruleset, scoped)
				      : offsetof(struct ruleset, net);
}

static uint64_t known_files(int version)
{
	uint64_t files = ACCESS_READ | ACCESS_CHANGE | LANDLOCK_ACCESS_FS_EXECUTE | ACCESS_NEVER;

	if (version < VERSION_REFER)
		files &= ~LANDLOCK_ACCESS_FS_REFER;
	if (version < VERSION_TRUNCATE)
		files &= ~ACCESS_TRUNCATE;
	if (version < VERSION_IOCTL)
		files &= ~ACCESS_IOCTL_DEV;
	return files;
}

static int allow(int rules, const struct fence_path *path, uint64_t known, struct err *err)
{
	owned(close) int fd = open(path->path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.parent_fd = fd};
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "open %s", path->path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "look at %s", path->path);
	rule.allowed_access =
		rights[path->right] & known & (S_ISDIR(st.st_mode) ? ~0ULL : ACCESS_OF_FILES);
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_sys(err, "allow %s", path->path);
	return 0;
}

int fence_enter(const struct fence_path *paths, size_t count, int *version, struct err *err)
{
	int found =
		(int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	const struct ruleset ruleset = {
		.files = known_files(found),
		.net = ACCESS_BIND_TCP,
		.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL,
	};

	*version = 0;
	if (found < 0) /* built without it, or left out at boot */
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0
							      : err_sys(err, "ask for Landlock");

	owned(close) int rules =
		(int)syscall(SYS_landlock_create_ruleset, &ruleset, size_for(found), 0);

	if (rules < 0)
		return err_sys(err, "make a fence");
	for (size_t i = 0; i < count; i++)
		if (allow(rules, &paths[i], ruleset.files, err) < 0)
			return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return err_sys(err, "enter the fence");
	*version = found;
	return 0;
}
