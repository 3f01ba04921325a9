#include "runner/upper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"

/* Others take free devices too, between our question and our answer. */
enum { LOOP_TRIES = 64 };

/*
 * What the host's disk must have left for a new image: mkfs writes some MiB, and an app whose first
 * writes fail is worse off than one that waits.
 */
enum { ROOM_LEAST_BYTES = 32 * 1024 * 1024 };

int upper_check_room(int image, struct err *err)
{
	struct statvfs room;

	if (fstatvfs(image, &room) < 0)
		return err_sys(err, "look at the disk");
	if (room.f_bavail * room.f_frsize < ROOM_LEAST_BYTES)
		return err_set(err, ERR_FULL, "no room for a disk image");
	return 0;
}

/* No journal, no copies of the superblock: it is thrown away with its run, and never checked. */
static int make_file_system(int image, struct err *err)
{
	static const char *const argv[] = {"mkfs.ext4",
					   "-q",
					   "-F",
					   "-m",
					   "0",
					   "-O",
					   "^has_journal,^resize_inode,sparse_super2",
					   "-E",
					   "lazy_itable_init=1,nodiscard,num_backup_sb=0",
					   "/proc/self/fd/3",
					   NULL};
	const int fds[] = {-1, -1, 2, image};
	struct proc_spec spec = {.argv = argv, .fds = fds, .fd_count = 4};
	owned(proc_done) struct proc child = PROC_INIT;
	int status;

	if (proc_start(&spec, &child, err) < 0 || proc_wait(&child, &status, err) < 0)
		return -1;
	if (status != 0)
		return err_set(err, ERR_SYSTEM, "mkfs.ext4 ended with status %d", status);
	return 0;
}

static int attach(int image, uint32_t flags, struct upper *out, struct err *err)
{
	owned(close) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config config = {
		.fd = (uint32_t)image,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | flags,
	};

	if (control < 0)
		return err_sys(err, "open the control of loop devices");
	for (int i = 0; i < LOOP_TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		if (number < 0)
			return err_sys(err, "find a loop device");
		snprintf(out->device, sizeof(out->device), "/dev/loop%d", number);
		out->loop_fd = open(out->device, O_RDWR | O_CLOEXEC);
		if (out->loop_fd < 0)
			return err_sys(err, "open a loop device");
		if (ioctl(out->loop_fd, LOOP_CONFIGURE, &config) == 0)
			return 0;
		if (errno != EBUSY)
			return err_sys(err, "set up a loop device");
		upper_done(out);
	}
	return err_set(err, ERR_BUSY, "no loop device is free");
}

int upper_open(int parent, const char *name, uint64_t bytes, struct upper *out, struct err *err)
{
	int kind = name ? O_CREAT | O_EXCL | O_NOFOLLOW : O_TMPFILE;
	owned(close) int image = openat(parent, name ? name : ".", kind | O_RDWR | O_CLOEXEC, 0600);
	struct upper upper = UPPER_INIT;

	if (image < 0 || ftruncate(image, (off_t)bytes) < 0)
		return err_sys(err, "make a disk image");
	if (upper_check_room(image, err) < 0 || make_file_system(image, err) < 0 ||
	    attach(image, 0, &upper, err) < 0) {
		upper_done(&upper);
		return -1;
	}
	*out = upper;
	return 0;
}

int upper_reopen(int image, bool read_only, struct upper *out, struct err *err)
{
	struct upper upper = UPPER_INIT;

	if (attach(image, read_only ? LO_FLAGS_READ_ONLY : 0, &upper, err) < 0) {
		upper_done(&upper);
		return -1;
	}
	*out = upper;
	return 0;
}

/* By the file behind it: a name may be another in the namespace of whoever made the device. */
static bool is_behind(const char *device, const struct stat *image)
{
	owned(free) char *path = mem_format("/dev/%s", device);
	owned(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct loop_info64 info;

	return fd >= 0 && ioctl(fd, LOOP_GET_STATUS64, &info) == 0 &&
	       info.lo_inode == image->st_ino && info.lo_device == image->st_dev;
}

bool upper_is_held(int image)
{
	owned(closedir) DIR *blocks = opendir("/sys/block");
	struct dirent *entry;
	struct stat st;

	if (!blocks || fstat(image, &st) < 0)
		return true; /* not known to be free */
	while ((entry = readdir(blocks)))
		if (str_starts(entry->d_name, "loop") && is_behind(entry->d_name, &st))
			return true;
	return false;
}

void upper_done(struct upper *upper)
{
	own_close(&upper->loop_fd);
	upper->loop_fd = -1;
}

int upper_mount(const struct upper *upper, const char *target, struct err *err)
{
	if (mount(upper->device, target, "ext4", MS_NOATIME | MS_NODEV | MS_NOSUID,
		  "discard,nobarrier") < 0)
		return err_sys(err, "mount a disk image");
	return 0;
}
