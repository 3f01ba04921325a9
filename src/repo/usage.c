#include "repo/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"

/* A bare repository has folders this deep where branches have names of many parts. */
enum { DEPTH_MAX = 64 };

static int add_folder(int parent, const char *name, unsigned depth, int64_t *bytes,
		      struct err *err);

static int add_file(int folder, const char *name, unsigned depth, int64_t *bytes, struct err *err)
{
	struct stat status;

	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "look at a file of a repository");
	if (S_ISREG(status.st_mode))
		*bytes += status.st_size;
	if (S_ISDIR(status.st_mode) && depth < DEPTH_MAX)
		return add_folder(folder, name, depth + 1, bytes, err);
	return 0;
}

static int add_folder(int parent, const char *name, unsigned depth, int64_t *bytes, struct err *err)
{
	owned(close) int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	owned(closedir) DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *file;

	if (!folder && errno == ENOENT && depth > 0)
		return 0;
	if (!folder && errno == ENOENT)
		return err_set(err, ERR_NO_REPO, "the repository is gone");
	if (!folder)
		return err_sys(err, "look into a repository");
	fd = -1; /* the folder's now */
	while ((file = readdir(folder))) {
		if (strcmp(file->d_name, ".") == 0 || strcmp(file->d_name, "..") == 0)
			continue;
		if (add_file(dirfd(folder), file->d_name, depth, bytes, err) < 0)
			return -1;
	}
	return 0;
}

int usage_of(const char *path, int64_t *out, struct err *err)
{
	int64_t bytes = 0;

	if (add_folder(AT_FDCWD, path, 0, &bytes, err) < 0)
		return -1;
	*out = bytes;
	return 0;
}
