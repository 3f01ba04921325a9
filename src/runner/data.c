#include "runner/data.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "runner/beneath.h"
#include "runner/idmap.h"
#include "runner/upper.h"

enum {
	WAIT_MS = 20 * 1000, /* a mount that ends may have much to write */
	POLL_MS = 5,
	SAYS_MAX = 256,
	FSCK_FAILED = 4 | 8, /* e2fsck(8): errors are left, or it can't begin */
	FSCK_ENDED = 16,     /* from here on it says nothing of the file system */
	/* The last group of blocks is left out where it is too small to be one. */
	GROUP_BYTES = 128 * 1024 * 1024,
};

#define IMAGE_FD "/proc/self/fd/3"

/* Run a program of e2fsprogs on the image. What it says names files of the app: for our log. */
static int run_tool(const char *const *argv, int image, int *status, struct err *err)
{
	owned(close) int output = memfd_create("output", MFD_CLOEXEC);
	const int fds[] = {-1, output, output, image};
	struct proc_spec spec = {.argv = argv, .fds = fds, .fd_count = 4};
	owned(proc_done) struct proc child = PROC_INIT;
	char says[SAYS_MAX] = "";
	ssize_t length;

	if (output < 0)
		return err_sys(err, "keep what %s says", argv[0]);
	if (proc_start(&spec, &child, err) < 0 || proc_wait(&child, status, err) < 0)
		return -1;
	length = pread(output, says, sizeof(says) - 1, 0);
	if (*status != 0 && length > 0)
		log_warn("runner.data", "tool=%s status=%d says=\"%.*s\"", argv[0], *status,
			 (int)strcspn(says, "\n"), says);
	return 0;
}

static int damaged(struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "its file system is damaged: an administrator may repair it by e2fsck, or "
		       "delete the storage");
}

/* Put right what a crash has left; `whole`: look at everything, as growing needs it. */
static int check(int image, bool whole, struct err *err)
{
	const char *const argv[] = {"e2fsck", "-p", whole ? "-f" : IMAGE_FD,
				    whole ? IMAGE_FD : NULL, NULL};
	int status;

	if (run_tool(argv, image, &status, err) < 0)
		return -1;
	if (status >= FSCK_ENDED)
		return err_set(err, ERR_BUSY, "its check ended with status %d", status);
	return status & FSCK_FAILED ? damaged(err) : 0;
}

static int make_file_system(int image, struct err *err)
{
	static const char *const argv[] = {
		"mkfs.ext4",
		"-q",
		"-F",
		"-m",
		"0",
		"-E",
		"root_owner=1000:1000,lazy_itable_init=1,lazy_journal_init=1,nodiscard",
		IMAGE_FD,
		NULL};
	int status;

	if (run_tool(argv, image, &status, err) < 0)
		return -1;
	return status ? err_set(err, ERR_SYSTEM, "mkfs.ext4 ended with status %d", status) : 0;
}

static int resize(int image, struct err *err)
{
	static const char *const argv[] = {"resize2fs", IMAGE_FD, NULL};
	int status;

	if (run_tool(argv, image, &status, err) < 0)
		return -1;
	return status ? err_set(err, ERR_SYSTEM, "resize2fs ended with status %d", status) : 0;
}

/* ext4's superblock (kernel documentation, "ext4 data structures", super block). */
int data_size(int image, uint64_t *out, struct err *err)
{
	enum { AT = 1024, LENGTH = 1024, BLOCKS = 0x4, SHIFT = 0x18, MAGIC = 0x38 };
	enum { INCOMPAT = 0x60, HAS_64BIT = 0x80, BLOCKS_HIGH = 0x150, EXT4_MAGIC = 0xef53 };
	enum { SHIFT_MAX = 6, SMALLEST_SHIFT = 10 };
	uint8_t bytes[LENGTH];
	uint32_t word[4];
	uint16_t magic;

	if (pread(image, bytes, sizeof(bytes), AT) != (ssize_t)sizeof(bytes))
		return damaged(err);
	memcpy(&magic, bytes + MAGIC, sizeof(magic));
	memcpy(&word[0], bytes + BLOCKS, sizeof(word[0]));
	memcpy(&word[1], bytes + SHIFT, sizeof(word[1]));
	memcpy(&word[2], bytes + INCOMPAT, sizeof(word[2]));
	memcpy(&word[3], bytes + BLOCKS_HIGH, sizeof(word[3]));
	if (le16toh(magic) != EXT4_MAGIC || le32toh(word[1]) > SHIFT_MAX)
		return damaged(err);
	*out = le32toh(word[0]);
	if (le32toh(word[2]) & HAS_64BIT)
		*out |= (uint64_t)le32toh(word[3]) << 32;
	*out <<= SMALLEST_SHIFT + le32toh(word[1]);
	return 0;
}

/* Also after a crash in the midst of growing: the file may have its size, what is in it not yet. */
static int fit(int image, uint64_t bytes, struct err *err)
{
	struct stat st;
	uint64_t have;

	if (data_size(image, &have, err) < 0)
		return -1;
	if (fstat(image, &st) < 0)
		return err_sys(err, "look at its image");
	if ((uint64_t)st.st_size < have)
		return damaged(err); /* it was cut */
	if (have + GROUP_BYTES > bytes)
		return check(image, false, err);
	if (check(image, true, err) < 0)
		return -1;
	if (ftruncate(image, (off_t)bytes) < 0)
		return err_sys(err, "grow its image");
	if (resize(image, err) < 0)
		return -1;
	log_info("runner.data", "grown_from=%llu to=%llu", (unsigned long long)have,
		 (unsigned long long)bytes);
	return fsync(image) < 0 ? err_sys(err, "sync its image") : 0;
}

static int lock_image(int image, int64_t until_ms, struct err *err)
{
	struct stat st;

	while (flock(image, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_sys(err, "lock its image");
		if (clock_mono_ms() > until_ms)
			return err_set(err, ERR_BUSY, "it is still in use");
		nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
	}
	if (fstat(image, &st) < 0)
		return err_sys(err, "look at its image");
	if (st.st_nlink == 0)
		return err_set(err, ERR_BUSY, "it was just removed");
	/* The folder is the hub's: what lies there may not be what we have made. */
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != 0)
		return err_set(err, ERR_SYSTEM, "its image is not root's own");
	return 0;
}

/* Under another name until it is whole, and on the disk. */
static int make(int folder, uint64_t bytes, int *out, struct err *err)
{
	owned(close) int image = -1;

	if (unlinkat(folder, DATA_IMAGE_NEW, 0) < 0 && errno != ENOENT)
		return err_sys(err, "remove an image that was not completed");
	image = openat(folder, DATA_IMAGE_NEW, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (image < 0 || ftruncate(image, (off_t)bytes) < 0)
		return err_sys(err, "make its image");
	if (lock_image(image, 0, err) < 0 || upper_check_room(image, err) < 0 ||
	    make_file_system(image, err) < 0)
		return -1;
	if (fsync(image) < 0 || renameat(folder, DATA_IMAGE_NEW, folder, DATA_IMAGE) < 0 ||
	    fsync(folder) < 0)
		return err_sys(err, "keep its image");
	*out = take_fd(&image);
	return 0;
}

static int open_image(const struct datadir *dir, const char *space, uint64_t bytes, int *out,
		      struct err *err)
{
	owned(free) char *folder_path = mem_format("spaces/%s", space);
	owned(free) char *path = mem_format("%s/" DATA_IMAGE, folder_path);
	owned(close) int folder = -1;
	owned(close) int image = -1;

	if (beneath_open(dir, folder_path, O_RDONLY | O_DIRECTORY, &folder, err) < 0)
		return -1;
	if (beneath_open(dir, path, O_RDWR, &image, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		*err = ERR_INIT;
		/* The folder may be as new as the image. */
		return file_sync_dir(dir->fd, "spaces", err) < 0 ? -1
								 : make(folder, bytes, out, err);
	}
	if (lock_image(image, clock_mono_ms() + WAIT_MS, err) < 0 ||
	    upper_check_room(image, err) < 0 || fit(image, bytes, err) < 0)
		return -1;
	*out = take_fd(&image);
	return 0;
}

/*
 * e2fsck makes it anew where it needs it; to an app it is a folder that it can't read. The kernel
 * discards its blocks even where a disk fails before the removal is written: e2fsck would find them
 * empty, and ask a person.
 */
static int drop_lost_found(int mount, struct err *err)
{
	if (unlinkat(mount, "lost+found", AT_REMOVEDIR) < 0)
		return errno == ENOENT || errno == ENOTEMPTY ? 0 : err_sys(err, "empty it");
	return file_sync_dir(mount, ".", err);
}

/* errors=remount-ro: after a failed write of the machine's disk nothing more is believed. */
static int mount_device(const char *device, int *out, struct err *err)
{
	enum { FLAGS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME };
	owned(close) int context = fsopen("ext4", FSOPEN_CLOEXEC);
	owned(close) int mount = -1;

	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", device, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_FLAG, "discard", NULL, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "errors", "remount-ro", 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, "mount it");
	mount = fsmount(context, FSMOUNT_CLOEXEC, FLAGS);
	if (mount < 0)
		return err_sys(err, "mount it");
	if (drop_lost_found(mount, err) < 0)
		return -1;
	*out = take_fd(&mount);
	return 0;
}

int data_open(const struct datadir *dir, const char *space, uint64_t bytes, uint32_t ids, int *out,
	      struct err *err)
{
	const struct idmap map = {0, 0, ids, DATADIR_RANGE};
	owned(upper_done) struct upper device = UPPER_INIT;
	owned(close) int image = -1;
	owned(close) int mount = -1;

	if (open_image(dir, space, bytes, &image, err) < 0 ||
	    upper_reopen(image, false, &device, err) < 0 ||
	    mount_device(device.device, &mount, err) < 0 || idmap_set(mount, &map, false, err) < 0)
		return err_in(err, "the disk of /data");
	*out = take_fd(&mount);
	return 0;
}

static int drop(const struct datadir *dir, const char *space, struct err *err)
{
	owned(free) char *path = mem_format("spaces/%s", space);
	owned(close) int folder = -1;
	owned(close) int image = -1;

	if (beneath_open(dir, path, O_RDONLY | O_DIRECTORY, &folder, err) < 0)
		return -1;
	image = openat(folder, DATA_IMAGE, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (image < 0 && errno != ENOENT)
		return err_sys(err, "open its image");
	if (image >= 0 && lock_image(image, clock_mono_ms() + WAIT_MS, err) < 0)
		return -1;
	if ((unlinkat(folder, DATA_IMAGE_NEW, 0) < 0 && errno != ENOENT) ||
	    (unlinkat(folder, DATA_IMAGE, 0) < 0 && errno != ENOENT) || fsync(folder) < 0)
		return err_sys(err, "remove its image");
	if (image >= 0)
		log_info("runner.data", "space=%s dropped=yes", space);
	return 0;
}

int data_drop(const struct datadir *dir, const char *space, struct err *err)
{
	if (drop(dir, space, err) == 0)
		return 0;
	if (err->kind != ERR_NOT_FOUND)
		return err_in(err, "the disk of /data");
	*err = ERR_INIT; /* without a folder it has none */
	return 0;
}

int data_settle(const struct datadir *dir, struct err *err)
{
	int64_t until_ms = clock_mono_ms() + WAIT_MS;
	owned(free) char *path = datadir_path(dir, "spaces");
	owned(closedir) DIR *spaces = opendir(path);
	const struct dirent *entry;

	while (spaces && (entry = readdir(spaces))) {
		owned(free) char *name = mem_format("spaces/%s/" DATA_IMAGE, entry->d_name);
		owned(close) int image = -1;
		struct err none = ERR_INIT; /* most Spaces have no disk */

		if (entry->d_name[0] == '.' || beneath_open(dir, name, O_RDWR, &image, &none) < 0)
			continue;
		if (lock_image(image, until_ms, err) < 0 && err->kind == ERR_BUSY)
			return err_in(err, "the disk of space %s", entry->d_name);
		*err = ERR_INIT;
	}
	return 0;
}
