#include "runner/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/mem.h"

static int open_no_links(int parent, const char *name, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, parent, name, &how, sizeof(how));
}

int beneath_open(const struct datadir *dir, const char *name, int flags, int *out, struct err *err)
{
	int fd = open_no_links(dir->fd, name, flags, 0);

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", name);
	if (fd < 0)
		return err_sys(err, "open %s", name);
	*out = fd;
	return 0;
}

int beneath_open_cache(const struct datadir *dir, int *out, struct err *err)
{
	owned(close) int fd = -1;
	struct stat st;

	if (beneath_open(dir, "cache", O_RDONLY | O_DIRECTORY, &fd, err) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat cache");
	if (st.st_uid != 0)
		return err_set(err, ERR_SYSTEM, "cache does not belong to root");
	*out = take_fd(&fd);
	return 0;
}

int beneath_open_layers(const struct datadir *dir, int *out, struct err *err)
{
	return beneath_open(dir, "layers", O_RDONLY | O_DIRECTORY, out, err);
}

int beneath_make_dir(int parent, const char *name, uid_t owner, mode_t mode, struct err *err)
{
	owned(close) int fd = -1;

	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "make folder %s", name);
	fd = open_no_links(parent, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 || fchown(fd, owner, (gid_t)owner) < 0 || fchmod(fd, mode) < 0)
		return err_sys(err, "set the owner of %s", name);
	return 0;
}

/* Like mkdir -p of one level, for the hub. */
static int hub_folder(const struct datadir *dir, const char *path, struct err *err)
{
	owned(close) int fd = -1;

	if (mkdirat(dir->fd, path, 0700) < 0)
		return errno == EEXIST ? 0 : err_sys(err, "make folder %s", path);
	if (beneath_open(dir, path, O_RDONLY | O_DIRECTORY, &fd, err) < 0)
		return -1;
	if (fchown(fd, dir->owner, dir->group) < 0)
		return err_sys(err, "set the owner of %s", path);
	return 0;
}

int beneath_open_log(const struct datadir *dir, const char *space, const char *log, int *out,
		     struct err *err)
{
	owned(free) char *folder = mem_format("spaces/%s", space);
	owned(free) char *logs = mem_format("spaces/%s/logs", space);
	owned(close) int parent = -1;
	owned(close) int fd = -1;
	struct stat st;

	if (beneath_open(dir, logs, O_RDONLY | O_DIRECTORY, &parent, err) < 0) {
		if (err->kind != ERR_NOT_FOUND || hub_folder(dir, folder, err) < 0 ||
		    hub_folder(dir, logs, err) < 0 ||
		    beneath_open(dir, logs, O_RDONLY | O_DIRECTORY, &parent, err) < 0)
			return -1;
	}
	fd = open_no_links(parent, log, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0640);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open %s", log);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || (st.st_uid != 0 && st.st_uid != dir->owner))
		return err_set(err, ERR_INVALID, "%s is no log", log);
	if (fchown(fd, dir->owner, dir->group) < 0 || fchmod(fd, 0640) < 0)
		return err_sys(err, "set the owner of %s", log);
	*out = take_fd(&fd);
	return 0;
}
