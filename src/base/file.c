#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/hash.h"
#include "base/mem.h"

enum {
	READ_CHUNK_BYTES = 16384,
	TEMP_ROOM = 40,
	/* Open directories while a tree is removed; what lies deeper is moved up first. */
	REMOVE_DEPTH = 32,
};

/* Errors name the thing, not where on the server it lies. */
static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* A name beside the final one, so that a rename replaces it at once. */
static void temp_name(char out[static TEMP_ROOM])
{
	char id[ID_HEX];

	random_id(id);
	snprintf(out, TEMP_ROOM, ".tmp-%s", id);
}

/* Open the directory that holds `path`; *name points at the last part of *copy, which holds it. */
static int open_parent(int dirfd, const char *path, char **copy, const char **name, struct err *err)
{
	owned(free) char *text = mem_text(path);
	size_t length = strlen(text);

	while (length > 1 && text[length - 1] == '/')
		text[--length] = '\0';

	char *slash = strrchr(text, '/');
	char *last = slash ? slash + 1 : text;

	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return err_set(err, ERR_INVALID, "\"%s\" names no entry of a directory", path);
	if (slash)
		*slash = '\0';

	const char *parent = !slash ? "." : slash == text ? "/" : text;
	int fd = openat(dirfd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open the folder of %s", last);
	*name = last;
	*copy = take(text);
	return fd;
}

int file_read(int dirfd, const char *path, struct str *out, struct err *err)
{
	owned(close) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char chunk[READ_CHUNK_BYTES];

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(err, ERR_NOT_FOUND, "there is no %s", last_part(path));
	if (fd < 0)
		return err_sys(err, "open %s", last_part(path));
	while (!out->failed) {
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, "read %s", last_part(path));
		if (got == 0)
			break;
		str_add_n(out, chunk, (size_t)got);
	}
	return str_check(out, last_part(path), err);
}

int file_put(int fd, const void *bytes, size_t length, struct err *err)
{
	const char *next = bytes;

	while (length) {
		ssize_t done = write(fd, next, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(err, "write");
		next += done;
		length -= (size_t)done;
	}
	return 0;
}

/* Write and sync a new file; it may be left behind, half written, on failure. */
static int write_new(int parent, const char *name, const void *bytes, size_t length, mode_t mode,
		     struct err *err)
{
	owned(close) int fd =
		openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0)
		return err_sys(err, "make a file");
	if (fchmod(fd, mode) < 0) /* the mode asked for, whatever the umask */
		return err_sys(err, "chmod");
	if (file_put(fd, bytes, length, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return err_sys(err, "fsync");
	return 0;
}

int file_write(int dirfd, const char *path, const void *bytes, size_t length, mode_t mode,
	       struct err *err)
{
	owned(free) char *copy = NULL;
	char temp[TEMP_ROOM];
	const char *name;
	owned(close) int parent = open_parent(dirfd, path, &copy, &name, err);

	if (parent < 0)
		return -1;
	temp_name(temp);
	if (write_new(parent, temp, bytes, length, mode, err) < 0) {
		unlinkat(parent, temp, 0);
		return err_in(err, "write %s", name);
	}
	if (renameat(parent, temp, parent, name) < 0) {
		err_sys(err, "replace %s", name);
		unlinkat(parent, temp, 0);
		return -1;
	}
	if (fsync(parent) < 0)
		return err_sys(err, "sync the folder of %s", name);
	return 0;
}

static int make_dir(int dirfd, const char *path, mode_t mode, struct err *err)
{
	struct stat st;

	if (mkdirat(dirfd, path, mode) == 0)
		return 0;
	if (errno == EEXIST && fstatat(dirfd, path, &st, 0) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		errno = ENOTDIR;
	}
	return err_sys(err, "make folder %s", last_part(path));
}

int file_make_dirs(int dirfd, const char *path, mode_t mode, struct err *err)
{
	owned(free) char *part = mem_text(path);

	if (!*path)
		return err_set(err, ERR_INVALID, "a folder needs a name");
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (make_dir(dirfd, part, mode, err) < 0)
			return -1;
		*slash = '/';
	}
	return make_dir(dirfd, part, mode, err);
}

/* Open a folder for reading, unless it is a link or the root of a mount, bind mounts included. */
static DIR *open_dir_here(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	owned(close) int fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));

	if (fd < 0)
		return NULL;

	DIR *dir = fdopendir(fd);

	if (dir)
		take_fd(&fd);
	return dir;
}

/*
 * Trees come from Space authors and may be deeper than we can have descriptors: a folder that lies
 * too deep is moved to the top folder, which is read again until nothing is left.
 */
static int move_up(int top, int dirfd, const char *name, struct err *err)
{
	char temp[TEMP_ROOM];

	temp_name(temp);
	if (renameat(dirfd, name, top, temp) < 0)
		return err_sys(err, "move a deep folder");
	return 0;
}

static int remove_entry(int top, int at, const char *name, unsigned depth, struct err *err);

/* Read again after removals: some file systems skip entries of a folder that changes. */
static int empty_dir(int top, DIR *dir, unsigned depth, struct err *err)
{
	bool removed;

	do {
		struct dirent *entry;

		removed = false;
		rewinddir(dir);
		while ((errno = 0, entry = readdir(dir))) {
			if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
				continue;
			if (remove_entry(top, dirfd(dir), entry->d_name, depth, err) < 0)
				return -1;
			removed = true;
		}
		if (errno == ENOENT)
			return 0; /* another removed the folder itself */
		if (errno)
			return err_sys(err, "read a folder");
	} while (removed);
	return 0;
}

static int remove_entry(int top, int at, const char *name, unsigned depth, struct err *err)
{
	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return err_sys(err, "remove %s", name);
	if (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == EBUSY)
		return err_set(err, ERR_SYSTEM, "remove %s: a mount is in it", name);
	if (depth == REMOVE_DEPTH)
		return move_up(top, at, name, err);

	owned(closedir) DIR *dir = open_dir_here(at, name);

	if (!dir && errno == EXDEV)
		return err_set(err, ERR_SYSTEM, "remove %s: a mount is in it", name);
	if (!dir)
		return errno == ENOENT ? 0 : err_sys(err, "open %s", name);
	if (empty_dir(depth ? top : dirfd(dir), dir, depth + 1, err) < 0)
		return -1;
	if (unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(err, "remove %s", name);
	return 0;
}

int file_remove_tree(int dirfd, const char *path, struct err *err)
{
	owned(free) char *copy = NULL;
	const char *name;

	struct stat st;

	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;

	owned(close) int parent = open_parent(dirfd, path, &copy, &name, err);

	if (parent < 0)
		return -1;
	return remove_entry(-1, parent, name, 0, err);
}

int file_sync_dir(int dirfd, const char *path, struct err *err)
{
	owned(close) int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(err, "sync folder %s", last_part(path));
	return 0;
}

bool file_exists(int dirfd, const char *path)
{
	struct stat st;

	return fstatat(dirfd, path, &st, 0) == 0;
}
