#include "repo/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "repo/packed.h"

/* git holds a reference for milliseconds. */
enum { WAIT_MAX_MS = 2000, WAIT_STEP_MS = 5 };

/* An older lock was left by a git that crashed: it is never so slow. */
enum { STALE_S = 60 };

/*
 * The new value is written here first and gets the names of lock files by hard links. So a lock
 * that is this same file was left by a crash of ours; whoever has the turn knows, and need not
 * wait. Which reference it is about is told by a symbolic link, made before the lock.
 */
#define NEW_VALUE "espace-ref"
#define NEW_LOCK  "espace-lock"

struct ref_held {
	struct git *git;
	char *name;    /* refs/heads/main */
	char *lock;    /* refs/heads/main.lock */
	char *folder;  /* refs/heads */
	int fd;        /* of the repository */
	int value_fd;  /* of the new value */
	bool is_taken; /* the lock is ours */
};

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

/* What a crash has left: our locks, of whichever reference, while we still know them. */
static void clear(int repo_fd, const char *lock_path)
{
	char left[PATH_MAX];
	ssize_t length = readlinkat(repo_fd, NEW_LOCK, left, sizeof(left) - 1);

	if (length > 0) {
		left[length] = '\0';
		remove_if_stale(repo_fd, left);
		unlinkat(repo_fd, NEW_LOCK, 0);
	}
	remove_if_stale(repo_fd, lock_path);
	remove_if_stale(repo_fd, PACKED_LOCK);
}

/*
 * The line of a reference, or nothing where there will be none. A new file each time: the old one
 * may be the reference itself, where a crash came behind the rename.
 */
static int write_value(struct ref_held *held, const git_oid *id, struct err *err)
{
	char line[GIT_HEX + 1];

	unlinkat(held->fd, NEW_VALUE, 0);
	held->value_fd = openat(held->fd, NEW_VALUE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (held->value_fd < 0)
		return err_sys(err, "write a reference");
	if (!id)
		return 0;
	git_oid_tostr(line, GIT_HEX, id);
	line[GIT_HEX - 1] = '\n';
	return file_put(held->value_fd, line, GIT_HEX, err);
}

/* mkdir -p; errno tells what went wrong. */
static int make_folders(int repo_fd, const char *path)
{
	owned(free) char *part = mem_text(path);

	for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(repo_fd, part, 0700) < 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return mkdirat(repo_fd, part, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

/* One try to give the new value the name of a lock. 1 done, 0 try again, -1 failed. */
static int try_lock(int repo_fd, const char *lock_path, const char *folder, struct err *err)
{
	const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};

	if (linkat(repo_fd, NEW_VALUE, repo_fd, lock_path, 0) == 0)
		return 1;
	if (errno == EEXIST) {
		nanosleep(&step, NULL);
		return 0;
	}
	if (errno == ENOENT && (make_folders(repo_fd, folder) == 0 || errno == ENOENT))
		return 0;
	if (errno == ENOTDIR)
		return err_set(err, ERR_EXISTS, "%.200s is a name, not a folder", folder);
	return err_sys(err, "lock a reference");
}

/*
 * Take a lock, which git may hold for a moment. Its folder is missing where a/b was packed, and
 * vanishes where git deletes the last of it.
 */
static int lock_take(int repo_fd, const char *lock_path, const char *folder, struct err *err)
{
	int64_t end = clock_mono_ms() + WAIT_MAX_MS;
	int taken;

	while ((taken = try_lock(repo_fd, lock_path, folder, err)) == 0)
		if (clock_mono_ms() > end)
			return err_set(err, ERR_BUSY, "the branch is being changed, try again");
	return taken < 0 ? -1 : 0;
}

/* Folders that are empty, up to refs/heads, are in the way of others; git removes them too. */
static void drop_empty_folders(const struct ref_held *held)
{
	owned(free) char *folder = mem_text(held->folder);
	char *slash;

	while ((slash = strrchr(folder, '/')) && strchr(folder, '/') != slash) {
		if (unlinkat(held->fd, folder, AT_REMOVEDIR) < 0)
			return;
		*slash = '\0';
	}
}

void ref_release(struct ref_held *held)
{
	if (!held)
		return;
	if (held->is_taken)
		unlinkat(held->fd, held->lock, 0); /* after a rename it is gone already */
	if (held->value_fd >= 0) {
		unlinkat(held->fd, NEW_VALUE, 0);
		unlinkat(held->fd, NEW_LOCK, 0);
		close(held->value_fd);
	}
	if (held->is_taken)
		drop_empty_folders(held);
	own_close(&held->fd);
	free(held->folder);
	free(held->lock);
	free(held->name);
	free(held);
}

/* Lock a reference, for a new value or, where NULL, for its end. */
static int hold(struct git *git, const char *name, const git_oid *id, struct ref_held **out,
		struct err *err)
{
	owned(ref_release) struct ref_held *held = mem_new(struct ref_held);

	held->git = git;
	held->name = mem_text(name);
	held->lock = mem_format("%s.lock", name);
	held->folder = mem_text_n(name, (size_t)(strrchr(name, '/') - name));
	held->fd = held->value_fd = -1;
	if (open_repo(git, &held->fd, err) < 0)
		return -1;
	clear(held->fd, held->lock);
	if (write_value(held, id, err) < 0)
		return -1;
	if (symlinkat(held->lock, held->fd, NEW_LOCK) < 0)
		return err_sys(err, "lock a reference");
	if (lock_take(held->fd, held->lock, held->folder, err) < 0)
		return -1;
	held->is_taken = true;
	*out = take(held);
	return 0;
}

/* What a reference holds: for an annotated tag the tag itself. 1 found, 0 none, -1 failed. */
static int read_value(struct git *git, const char *name, git_oid *out, struct err *err)
{
	int rc = git_reference_name_to_id(out, git->repo, name);

	if (rc == GIT_ENOTFOUND)
		return 0;
	return rc < 0 ? inner_fail(err, "read a reference") : 1;
}

/* Is the reference where it should be? 1 yes, 0 no, -1 failed. */
static int is_at(struct git *git, const char *name, const git_oid *old, struct err *err)
{
	git_oid now;
	int found = read_value(git, name, &now, err);

	if (found < 0)
		return -1;
	return old ? found == 1 && git_oid_equal(&now, old) : found == 0;
}

static int in_the_way(const char *other, const char *name, struct err *err)
{
	return err_set(err, ERR_EXISTS, "%.200s exists, so there can be no %.200s", other, name);
}

/* A file and a folder of one name exclude each other, also where git has packed them. */
static int check_way(struct git *git, const char *name, struct err *err)
{
	owned(free) char *below = mem_format("%s/*", name);
	owned(free) char *above = mem_text(name);
	owned(git_reference_iterator_free) git_reference_iterator *iterator = NULL;
	const char *found;
	git_oid id;

	for (char *slash = strrchr(above, '/'); slash; slash = strrchr(above, '/')) {
		*slash = '\0';
		if (!strchr(above, '/') || strchr(above, '/') == strrchr(above, '/'))
			break; /* refs/heads and above are no references */
		int rc = read_value(git, above, &id, err);
		if (rc != 0)
			return rc < 0 ? -1 : in_the_way(above, name, err);
	}
	if (git_reference_iterator_glob_new(&iterator, git->repo, below) < 0)
		return inner_fail(err, "list references");
	if (git_reference_next_name(&found, iterator) == 0)
		return in_the_way(found, name, err);
	return 0;
}

/* Of folders in which folders were: what has become empty goes. */
static void drop_folder(int repo_fd, const char *path)
{
	int fd = openat(repo_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	owned(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			drop_folder(dirfd(dir), entry->d_name);
	unlinkat(repo_fd, path, AT_REMOVEDIR);
}

static int rename_lock(const struct ref_held *held, struct err *err)
{
	if (renameat(held->fd, held->lock, held->fd, held->name) == 0)
		return 0;
	if (errno == EISDIR) {
		drop_folder(held->fd, held->name);
		if (renameat(held->fd, held->lock, held->fd, held->name) == 0)
			return 0;
	}
	if (errno == EISDIR)
		return err_set(err, ERR_EXISTS, "%.200s is a folder of others", held->name);
	return err_sys(err, "move a reference");
}

int ref_hold(struct git *git, const char *name, const git_oid *old, const git_oid *new,
	     struct ref_held **out, struct err *err)
{
	if (!old && check_way(git, name, err) < 0)
		return -1;
	return hold(git, name, new, out, err);
}

int ref_add_value(struct ref_held *held, struct syncs *syncs, struct err *err)
{
	int fd = fcntl(held->value_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, "sync a reference");
	syncs_add(syncs, fd);
	return 0;
}

int ref_switch(struct ref_held *held, const git_oid *old, struct err *err)
{
	int is = is_at(held->git, held->name, old, err);

	if (is != 1)
		return is;
	return rename_lock(held, err) < 0 ? -1 : 1;
}

static int add_folder(struct ref_held *held, const char *folder, struct syncs *syncs,
		      struct err *err)
{
	owned(close) int fd = openat(held->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "sync a reference");
	syncs_add(syncs, take_fd(&fd));
	return 0;
}

int ref_add_folders(struct ref_held *held, struct syncs *syncs, struct err *err)
{
	owned(free) char *folder = mem_text(held->folder);

	for (char *slash = strrchr(folder, '/'); slash; slash = strrchr(folder, '/')) {
		if (add_folder(held, folder, syncs, err) < 0)
			return -1;
		*slash = '\0';
	}
	return 0;
}

int ref_move(struct git *git, const char *name, const git_oid *old, const git_oid *new,
	     struct err *err)
{
	owned(ref_release) struct ref_held *held = NULL;
	owned(syncs_free) struct syncs *syncs = syncs_new();

	if (ref_hold(git, name, old, new, &held, err) < 0 || ref_add_value(held, syncs, err) < 0 ||
	    syncs_run(syncs, err) < 0)
		return -1;
	int moved = ref_switch(held, old, err);
	if (moved != 1)
		return moved;
	if (ref_add_folders(held, syncs, err) < 0 || syncs_run(syncs, err) < 0)
		return -1;
	return 1;
}

/*
 * First out of the packed ones, then the file: a crash in between deletes nothing, and brings no
 * older value back. Both locks are held over both, or git could pack the file in between.
 */
static int delete_held(const struct ref_held *held, struct err *err)
{
	int rc;

	if (lock_take(held->fd, PACKED_LOCK, held->folder, err) < 0)
		return -1;
	rc = packed_remove(held->fd, held->name, err);
	if (rc == 0 && unlinkat(held->fd, held->name, 0) < 0 && errno != ENOENT)
		rc = err_sys(err, "delete a reference");
	unlinkat(held->fd, PACKED_LOCK, 0);
	return rc < 0 ? -1 : file_sync_dir(held->fd, held->folder, err);
}

int ref_delete(struct git *git, const char *name, struct err *err)
{
	owned(ref_release) struct ref_held *held = NULL;
	git_oid id;
	int found = read_value(git, name, &id, err);

	if (found != 1)
		return found;
	if (hold(git, name, NULL, &held, err) < 0)
		return -1;
	found = read_value(git, name, &id, err);
	if (found != 1)
		return found;
	return delete_held(held, err) < 0 ? -1 : 1;
}
