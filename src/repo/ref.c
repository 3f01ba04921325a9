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

/* An older lock was left by a git that crashed: it is never so slow. */
enum { STALE_S = 60 };

/*
 * The new value is written here first and gets its name as lock file by a hard link. So a lock that
 * is this same file was left by a crash of ours; whoever has the turn knows, and need not wait.
 */
#define NEW_VALUE "espace-ref"

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

static void remove_if_stale(int repo_fd, const char *lock_path)
{
	struct stat lock, ours;

	if (fstatat(repo_fd, lock_path, &lock, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	bool is_ours = fstatat(repo_fd, NEW_VALUE, &ours, AT_SYMLINK_NOFOLLOW) == 0 &&
		       ours.st_dev == lock.st_dev && ours.st_ino == lock.st_ino;
	if (is_ours || clock_wall_ms() / 1000 - lock.st_mtim.tv_sec > STALE_S)
		unlinkat(repo_fd, lock_path, 0);
}

/* A new file each time: the old one may be the branch itself, where a crash came behind the rename.
 */
static int write_value(int repo_fd, const git_oid *id, struct err *err)
{
	char line[GIT_HEX + 1];

	git_oid_tostr(line, GIT_HEX, id);
	line[GIT_HEX - 1] = '\n';
	unlinkat(repo_fd, NEW_VALUE, 0);
	owned(close) int fd =
		openat(repo_fd, NEW_VALUE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "write a branch");
	if (file_put(fd, line, GIT_HEX, err) < 0)
		return -1;
	return fsync(fd) < 0 ? err_sys(err, "sync a branch") : 0;
}

/* Give the new value the name of the lock, which git may hold for a moment. */
static int lock_take(int repo_fd, const char *lock_path, struct err *err)
{
	const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
	int64_t end = clock_mono_ms() + WAIT_MAX_MS;

	while (linkat(repo_fd, NEW_VALUE, repo_fd, lock_path, 0) < 0) {
		if (errno != EEXIST)
			return err_sys(err, "lock a branch");
		if (clock_mono_ms() > end)
			return err_set(err, ERR_BUSY, "the branch is being changed, try again");
		nanosleep(&step, NULL);
	}
	return 0;
}

/* Is the branch where it should be? 1 yes, 0 no, -1 failed. */
static int is_at(struct git *git, const char *branch, const git_oid *old, struct err *err)
{
	git_oid now;
	int found = inner_head(git, branch, &now, err);

	if (found < 0)
		return -1;
	return old ? found == 1 && git_oid_equal(&now, old) : found == 0;
}

/* With the lock. As ref_move(). */
static int move_locked(struct git *git, const char *branch, const git_oid *old, int repo_fd,
		       struct err *err)
{
	owned(free) char *path = mem_format("refs/heads/%s", branch);
	owned(free) char *lock_path = mem_format("%s.lock", path);
	int moved = is_at(git, branch, old, err);

	if (moved == 1 && renameat(repo_fd, lock_path, repo_fd, path) < 0)
		moved = err_sys(err, "move a branch");
	if (moved != 1)
		unlinkat(repo_fd, lock_path, 0);
	return moved;
}

int ref_move(struct git *git, const char *branch, const git_oid *old, const git_oid *new,
	     struct err *err)
{
	owned(free) char *lock_path = mem_format("refs/heads/%s.lock", branch);
	owned(free) char *folder =
		mem_text_n(lock_path, (size_t)(strrchr(lock_path, '/') - lock_path));
	owned(close) int repo_fd = -1;

	if (open_repo(git, &repo_fd, err) < 0)
		return -1;
	remove_if_stale(repo_fd, lock_path);
	/* A branch a/b that was packed has no folder. */
	if (file_make_dirs(repo_fd, folder, 0700, err) < 0 || write_value(repo_fd, new, err) < 0 ||
	    lock_take(repo_fd, lock_path, err) < 0)
		return -1;
	int moved = move_locked(git, branch, old, repo_fd, err);
	unlinkat(repo_fd, NEW_VALUE, 0);
	if (moved != 1)
		return moved;
	return file_sync_dir(repo_fd, folder, err) < 0 ? -1 : 1;
}
