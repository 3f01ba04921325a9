#include "repo/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

/* git holds a branch for milliseconds. */
enum { WAIT_MAX_MS = 2000, WAIT_STEP_MS = 5 };

/* What is older was left by a crash: those who have the turn are not in it, git is never so slow.
 */
enum { STALE_S = 60 };

static int open_repo(struct git *git, int *out, struct err *err)
{
	int fd = open(git->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open a repository");
	*out = fd;
	return 0;
}

int ref_turn(struct git *git, int *out, struct err *err)
{
	owned(close) int fd = -1;

	if (open_repo(git, &fd, err) < 0)
		return -1;
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return err_sys(err, "wait for a repository");
	}
	*out = take_fd(&fd);
	return 0;
}

static void remove_if_stale(int repo_fd, const char *path)
{
	struct stat st;

	if (fstatat(repo_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    clock_wall_ms() / 1000 - st.st_mtim.tv_sec > STALE_S)
		unlinkat(repo_fd, path, 0);
}

/* Make the lock file. The caller deletes or renames it. */
static int lock_make(int repo_fd, const char *path, int *out, struct err *err)
{
	const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
	int64_t end = clock_mono_ms() + WAIT_MAX_MS;

	remove_if_stale(repo_fd, path);
	for (;;) {
		*out = openat(repo_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (*out >= 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(err, "lock a branch");
		if (clock_mono_ms() > end)
			return err_set(err, ERR_BUSY, "the branch is being changed, try again");
		nanosleep(&step, NULL);
	}
}

/* Write the new id into the lock file and put it in the branch's place. As ref_move(). */
static int lock_use(struct git *git, const char *branch, const git_oid *old, const git_oid *new,
		    int fd, struct err *err)
{
	char line[GIT_HEX + 1];
	git_oid now;
	int found = inner_head(git, branch, &now, err);

	if (found < 0)
		return -1;
	if (old ? found == 0 || !git_oid_equal(&now, old) : found == 1)
		return 0;
	git_oid_tostr(line, GIT_HEX, new);
	line[GIT_HEX - 1] = '\n';
	if (file_put(fd, line, GIT_HEX, err) < 0)
		return -1;
	return fsync(fd) < 0 ? err_sys(err, "sync a branch") : 1;
}

int ref_move(struct git *git, const char *branch, const git_oid *old, const git_oid *new,
	     struct err *err)
{
	owned(free) char *path = mem_format("refs/heads/%s", branch);
	owned(free) char *lock_path = mem_format("%s.lock", path);
	owned(free) char *folder = mem_text_n(path, (size_t)(strrchr(path, '/') - path));
	owned(close) int repo_fd = -1;
	owned(close) int fd = -1;

	/* A branch a/b that was packed has no folder. */
	if (open_repo(git, &repo_fd, err) < 0 || file_make_dirs(repo_fd, folder, 0700, err) < 0 ||
	    lock_make(repo_fd, lock_path, &fd, err) < 0)
		return -1;
	int moved = lock_use(git, branch, old, new, fd, err);
	if (moved == 1 && renameat(repo_fd, lock_path, repo_fd, path) < 0)
		moved = err_sys(err, "move a branch");
	if (moved != 1) {
		unlinkat(repo_fd, lock_path, 0);
		return moved;
	}
	return file_sync_dir(repo_fd, folder, err) < 0 ? -1 : 1;
}
