#include "daemon/rundir.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "route/route.h"

/* The route table takes 5 MB at most, a bundle some 20 kB, a build's input 1 MB at most. */
#define RUNDIR_OPTIONS "mode=0711,size=512m"

/* Visits that wait in a socket's queue while the hub restarts. */
enum { LISTEN_BACKLOG = 4096 };

bool rundir_is_mounted(const struct datadir *dir)
{
	struct stat parent;
	struct stat own;
	struct statfs fs;
	owned(free) char *path = datadir_path(dir, "run");

	return !fstat(dir->fd, &parent) && !stat(path, &own) && parent.st_dev != own.st_dev &&
	       !statfs(path, &fs) && fs.f_type == TMPFS_MAGIC;
}

static int make(const struct datadir *dir, const char *name, mode_t mode, uid_t user, gid_t group,
		struct err *err)
{
	owned(free) char *path = datadir_path(dir, "run/%s", name);

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_sys(err, "make run/%s", name);
	if (chmod(path, mode) < 0 || chown(path, user, group) < 0)
		return err_sys(err, "set the owner of run/%s", name);
	return 0;
}

/* The hub may not make files in run/ itself, and nginx needs the table before the hub is there. */
static int make_routes(const struct datadir *dir, struct err *err)
{
	owned(free) char *path = datadir_path(dir, "run/routes");
	owned(route_close) struct route *route = NULL;

	if (route_open(path, dir->www, &route, err) < 0)
		return -1;
	if (chown(path, dir->owner, dir->www) < 0)
		return err_sys(err, "set the owner of run/routes");
	return 0;
}

int rundir_mount(const struct datadir *dir, struct err *err)
{
	owned(free) char *path = datadir_path(dir, "run");

	if (!rundir_is_mounted(dir) &&
	    mount("espace", path, "tmpfs", MS_NOSUID | MS_NODEV, RUNDIR_OPTIONS) < 0)
		return err_sys(err, "mount a tmpfs at run/");
	if (make(dir, "in", 0711, dir->owner, dir->group, err) < 0 ||
	    make(dir, "nginx", 0700, dir->www_user, dir->www, err) < 0 ||
	    make(dir, "bundles", 0711, 0, 0, err) < 0 || make_routes(dir, err) < 0)
		return -1;
	return 0;
}

int rundir_unmount(const struct datadir *dir, struct err *err)
{
	owned(free) char *path = datadir_path(dir, "run");

	if (rundir_is_mounted(dir) && umount2(path, UMOUNT_NOFOLLOW) < 0)
		return err_sys(err, "unmount run/");
	return 0;
}

int rundir_listen(const struct datadir *dir, const char *name, int *out, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	owned(free) char *path = datadir_path(dir, "run/%s", name);
	owned(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, ERR_INVALID,
			       "the path of the data directory is too long for a unix socket "
			       "(run/%s in it may have %zu bytes)",
			       name, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd < 0 || (unlink(path) < 0 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chown(path, 0, dir->www) < 0 || chmod(path, 0660) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return err_sys(err, "listen on run/%s", name);
	*out = take_fd(&fd);
	return 0;
}
