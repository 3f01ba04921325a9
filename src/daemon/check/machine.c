#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/check/checkup.h"
#include "daemon/exe.h"

enum {
	KERNEL_MAJOR = 5, /* mount_setattr(2): idmapped mounts */
	KERNEL_MINOR = 12,
	ROOM_WARNING_PERCENT = 10,
	ROOM_PROBLEM_PERCENT = 1,
	FILE_SYSTEMS_MAX_BYTES = 64 * 1024,
};

/* --- programs --- */

static void find_programs(struct checkup *checkup)
{
	static const struct {
		const char *name;
		const char *package;
	} programs[] = {
		{"git", "git"},
		{"nginx", "nginx"},
		{"runc", "runc"},
		{"conmon", "conmon"},
		{"catatonit", "catatonit"},
		{"dnsmasq", "dnsmasq-base"},
		{"mmdebstrap", "mmdebstrap"},
		{"apt-config", "apt"},
		{"ip", "iproute2"},
		{"nft", "nftables"},
		{"mkfs.ext4", "e2fsprogs"},
		{"unshare", "util-linux"},
	};
	static const char *const places[] = {"/usr/bin", "/usr/sbin", "/bin", "/sbin"};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		owned(free) char *todo = mem_format("install the package %s", programs[i].package);
		bool found = false;

		for (size_t j = 0; !found && j < sizeof(places) / sizeof(places[0]); j++) {
			owned(free) char *path = mem_format("%s/%s", places[j], programs[i].name);

			found = access(path, X_OK) == 0;
		}
		if (!found)
			checkup_problem(checkup, programs[i].name, todo, "the program is missing");
	}
}

static void find_companions(struct checkup *checkup)
{
	static const char *const names[] = {"uv", "espace-steps", "espace_front.so"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		owned(free) char *path = NULL;
		struct err err = ERR_INIT;

		if (exe_companion(names[i], &path, &err) < 0)
			checkup_problem(checkup, names[i], "install espace anew",
					"it is not beside the program");
	}
}

/* --- the kernel --- */

static void look_at_version(struct checkup *checkup)
{
	struct utsname name;
	unsigned major = 0;
	unsigned minor = 0;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return; /* a kernel that calls itself otherwise: what it can do shows below */
	if (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR))
		checkup_problem(checkup, "kernel", "boot a newer one",
				"%s has no idmapped mounts: 5.12 is needed", name.release);
}

static void look_at_features(struct checkup *checkup)
{
	static const struct {
		const char *path;
		const char *what;
		const char *todo;
	} features[] = {
		{"/dev/loop-control", "no loop devices: Spaces have no disk", "modprobe loop"},
		{"/proc/self/ns/user", "no user namespaces", "boot a kernel with CONFIG_USER_NS"},
		{"/proc/sys/kernel/seccomp", "no system call filters",
		 "boot a kernel with CONFIG_SECCOMP_FILTER"},
		{"/usr/share/containers/seccomp.json", "the list of system calls is missing",
		 "install the package golang-github-containers-common"},
	};
	static const char *const controllers[] = {"memory", "cpu", "pids", "freezer"};
	owned(str_done) struct str text = str_new(FILE_SYSTEMS_MAX_BYTES);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (!file_exists(AT_FDCWD, features[i].path))
			checkup_problem(checkup, "kernel", features[i].todo, "%s",
					features[i].what);
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		owned(free) char *v1 = mem_format("/sys/fs/cgroup/%s", controllers[i]);

		if (!file_exists(AT_FDCWD, "/sys/fs/cgroup/cgroup.controllers") &&
		    !file_exists(AT_FDCWD, v1))
			checkup_problem(checkup, "kernel", "mount it below /sys/fs/cgroup",
					"no cgroup controller %s", controllers[i]);
	}
	/* A module that is not loaded yet is not listed. */
	if (file_read(AT_FDCWD, "/proc/filesystems", &text, &err) == 0 &&
	    !strstr(text.data, "\toverlay\n"))
		checkup_warning(checkup, "kernel", "modprobe overlay",
				"it does not list the file system overlay");
}

/* --- the disk --- */

static void look_at_share(struct checkup *checkup, const char *what, uint64_t free, uint64_t all)
{
	uint64_t percent = all ? free * 100 / all : 100;

	if (percent < ROOM_PROBLEM_PERCENT)
		checkup_problem(checkup, "disk", "make room: espaced gc, or a larger disk",
				"less than %d%% of its %s are free", ROOM_PROBLEM_PERCENT, what);
	else if (percent < ROOM_WARNING_PERCENT)
		checkup_warning(checkup, "disk", "make room: espaced gc, or a larger disk",
				"%llu%% of its %s are free", (unsigned long long)percent, what);
}

static int look_at_disk(struct checkup *checkup, struct err *err)
{
	struct statvfs disk;

	if (fstatvfs(checkup->dir->fd, &disk) < 0)
		return err_sys(err, "ask for the room on the disk");
	if (disk.f_flag & ST_RDONLY)
		checkup_problem(checkup, "disk", "mount it for writing", "it is read-only");
	look_at_share(checkup, "bytes", disk.f_bavail, disk.f_blocks);
	look_at_share(checkup, "inodes", disk.f_favail, disk.f_files);
	return 0;
}

int checkup_machine(struct checkup *checkup, struct err *err)
{
	find_programs(checkup);
	find_companions(checkup);
	look_at_version(checkup);
	look_at_features(checkup);
	return look_at_disk(checkup, err);
}
