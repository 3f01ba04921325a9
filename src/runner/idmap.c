#include "runner/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/file.h"
#include "base/proc.h"

static int unshare_user(void *arg, struct err *err)
{
	return unshare(CLONE_NEWUSER) < 0 ? err_sys(err, "make a user namespace") : 0;
}

static int write_map(pid_t pid, const char *file, uint32_t on_disk, const struct idmap *map,
		     struct err *err)
{
	owned(close) int fd = -1;
	char text[64];

	snprintf(text, sizeof(text), "/proc/%d/%s", (int)pid, file);
	fd = open(text, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open %s", file);
	snprintf(text, sizeof(text), "%u %u %u", on_disk, map->target, map->count);
	return file_put(fd, text, strlen(text), err) < 0 ? err_in(err, "%s", file) : 0;
}

/* A user namespace lives as long as a process in it, or a descriptor: a child lends it to us. */
static int open_namespace(const struct idmap *map, int *out, struct err *err)
{
	static const char *const argv[] = {"cat", NULL};
	owned(proc_done) struct proc child = PROC_INIT;
	owned(close) int held = -1;
	owned(close) int given = -1;
	struct proc_spec spec = {.argv = argv, .prepare = unshare_user};
	int ends[2];
	char path[64];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "pipe");
	given = ends[0];
	held = ends[1]; /* the child ends by itself if we die */
	spec.fds = (const int[]){given, -1, -1};
	spec.fd_count = 3;
	if (proc_start(&spec, &child, err) < 0 ||
	    write_map(child.pid, "uid_map", map->uid, map, err) < 0 ||
	    write_map(child.pid, "gid_map", map->gid, map, err) < 0)
		return err_in(err, "map user ids");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child.pid);
	*out = open(path, O_RDONLY | O_CLOEXEC);
	return *out < 0 ? err_sys(err, "open a user namespace") : 0;
}

int idmap_set(int mount, const struct idmap *map, bool read_only, struct err *err)
{
	owned(close) int namespace = -1;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};

	if (read_only)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (map) {
		if (open_namespace(map, &namespace, err) < 0)
			return -1;
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t) namespace;
	}
	if (mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(err, "set the attributes of a mount");
	return 0;
}

int idmap_clone(int fd, const struct idmap *map, bool read_only, int *out, struct err *err)
{
	owned(close) int clone =
		open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (clone < 0)
		return err_sys(err, "clone a mount");
	if (idmap_set(clone, map, read_only, err) < 0)
		return -1;
	*out = take_fd(&clone);
	return 0;
}
