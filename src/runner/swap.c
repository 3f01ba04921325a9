#include "runner/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"

#define FILE_NAME "swap"
#define CONTROL   "/sys/class/zram-control/"

enum {
	LABEL_ROOM = 17,
	LABEL_AT = 1024 + 3 * 4 + 16, /* linux/swap.h, union swap_header: sws_volume */
	MKSWAP_MS = 60 * 1000,
	DISK_PART = 10,  /* this part of the disk stays free */
	ZRAM_FIRST = 100 /* priority: memory before any disk */
};

static const uint64_t least_bytes = UINT64_C(64) << 20;
static const uint64_t most_bytes = UINT64_C(1) << 46;

/* "8G" in bytes; 0 is no size. */
static uint64_t parse_size(const char *text)
{
	static const char units[] = "MGT";
	char *end;
	uint64_t number = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (*text < '0' || *text > '9' || !unit || end[1] || number > most_bytes >> 20)
		return 0;
	return number << (20 + 10 * (unit - units));
}

int swap_parse(const char *text, struct swap_plan *out, struct err *err)
{
	static const char *const kinds[] = {"none", "zram", "file"};
	size_t length = strcspn(text, ":");
	struct swap_plan plan = {0};

	while (plan.kind <= SWAP_FILE &&
	       (strlen(kinds[plan.kind]) != length || strncmp(kinds[plan.kind], text, length) != 0))
		plan.kind++;
	if (plan.kind > SWAP_FILE)
		return err_set(err, ERR_INVALID, "sleep.swap: \"%s\" is none of none, zram, file",
			       text);
	if (text[length]) {
		plan.bytes = parse_size(text + length + 1);
		if (plan.kind == SWAP_NONE || plan.bytes < least_bytes || plan.bytes > most_bytes)
			return err_set(err, ERR_INVALID,
				       "sleep.swap: \"%s\" is no size, such as 8G, from 64M to 64T",
				       text + length + 1);
	}
	*out = plan;
	return 0;
}

/* A path that is this very file, whatever is done to its name. */
static char *path_of(int fd)
{
	return mem_format("/proc/self/fd/%d", fd);
}

static void label_of(const struct datadir *dir, char out[LABEL_ROOM])
{
	snprintf(out, LABEL_ROOM, "espace-%s", dir->instance);
}

static int make_swap(const struct datadir *dir, int fd, struct err *err)
{
	char label[LABEL_ROOM];
	/* The first descriptor behind the three standard ones. */
	const char *const argv[] = {"mkswap", "-L", label, "/proc/self/fd/3", NULL};
	owned(str_done) struct str output = str_new(4096);

	label_of(dir, label);
	return proc_run_within(&(struct proc_spec){.argv = argv, .fds = &fd, .fd_count = 1}, NULL,
			       &output, MKSWAP_MS, err);
}

/* On already is as good. Errors: ERR_INVALID for what is no swap space. */
static int turn_on(int fd, int flags, struct err *err)
{
	owned(free) char *path = path_of(fd);

	if (swapon(path, flags) == 0 || errno == EBUSY)
		return 0;
	return errno == EINVAL ? err_set(err, ERR_INVALID, "this can be no swap space")
			       : err_sys(err, "turn swap space on");
}

/* Off already is as good. */
static int turn_off(int fd, struct err *err)
{
	owned(free) char *path = path_of(fd);

	return swapoff(path) < 0 && errno != EINVAL ? err_sys(err, "turn swap space off") : 0;
}

/* --- a file --- */

/* The hub may rename files there: what we turn on is root's own, and nobody else's to read. */
static int open_file(const struct datadir *dir, int *out, struct err *err)
{
	owned(close) int fd =
		openat(dir->fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "there is no swap file")
				       : err_sys(err, "open the swap file");
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat the swap file");
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_nlink != 1 || (st.st_mode & 0077))
		return err_set(err, ERR_INVALID, "the swap file is not of our making");
	*out = take_fd(&fd);
	return 0;
}

static int has_room(const struct datadir *dir, uint64_t bytes, struct err *err)
{
	struct statvfs disk;
	uint64_t unit;

	if (fstatvfs(dir->fd, &disk) < 0)
		return err_sys(err, "ask for the disk's room");
	unit = disk.f_frsize;
	if (disk.f_bavail * unit < bytes + disk.f_blocks * unit / DISK_PART)
		return err_set(err, ERR_FULL, "a swap file of %" PRIu64 " MiB would fill the disk",
			       bytes >> 20);
	return 0;
}

static int fill_file(const struct datadir *dir, uint64_t bytes, struct err *err)
{
	owned(close) int fd = openat(dir->fd, FILE_NAME,
				     O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int number;

	if (fd < 0)
		return err_sys(err, "make the swap file");
	number = posix_fallocate(fd, 0, (off_t)bytes);
	if (number != 0) {
		errno = number;
		return err_sys(err, "make the swap file");
	}
	return make_swap(dir, fd, err) < 0 ? -1 : turn_on(fd, 0, err);
}

static int file_up(const struct datadir *dir, uint64_t bytes, struct err *err)
{
	owned(close) int fd = -1;

	if (open_file(dir, &fd, err) == 0 && turn_on(fd, 0, err) == 0)
		return 0;
	/* There is none, or one that was half made when something was killed. */
	if (err->kind != (fd < 0 ? ERR_NOT_FOUND : ERR_INVALID))
		return -1;
	if (unlinkat(dir->fd, FILE_NAME, 0) < 0 && errno != ENOENT)
		return err_sys(err, "remove the old swap file");
	if (has_room(dir, bytes, err) < 0)
		return -1;
	if (fill_file(dir, bytes, err) == 0)
		return 0;
	unlinkat(dir->fd, FILE_NAME, 0);
	return -1;
}

static int file_down(const struct datadir *dir, struct err *err)
{
	owned(close) int fd = -1;

	if (open_file(dir, &fd, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (turn_off(fd, err) < 0)
		return -1;
	return unlinkat(dir->fd, FILE_NAME, 0) < 0 ? err_sys(err, "remove the swap file") : 0;
}

/* --- a zram device --- */

static int write_number(const char *path, uint64_t number, struct err *err)
{
	owned(close) int fd = open(path, O_WRONLY | O_CLOEXEC);
	char text[32];
	int length = snprintf(text, sizeof(text), "%" PRIu64, number);

	if (fd < 0)
		return err_sys(err, "open %s", path + strlen("/sys/"));
	return file_put(fd, text, (size_t)length, err);
}

static bool is_ours(const struct datadir *dir, int fd)
{
	char label[LABEL_ROOM];
	char found[LABEL_ROOM] = "";

	label_of(dir, label);
	return pread(fd, found, LABEL_ROOM - 1, LABEL_AT) == LABEL_ROOM - 1 &&
	       strcmp(found, label) == 0;
}

static int open_zram(unsigned number)
{
	owned(free) char *path = mem_format("/dev/zram%u", number);

	return open(path, O_RDONLY | O_CLOEXEC);
}

/* The device of this instance; false where there is none. */
static bool find_zram(const struct datadir *dir, unsigned *number, int *fd)
{
	glob_t found = {0};
	bool is_found = false;

	if (glob("/sys/block/zram*", GLOB_NOSORT, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc && !is_found; i++) {
			*number = (unsigned)strtoul(found.gl_pathv[i] + strlen("/sys/block/zram"),
						    NULL, 10);
			*fd = open_zram(*number);
			is_found = *fd >= 0 && is_ours(dir, *fd);
			if (!is_found && *fd >= 0)
				close(take_fd(fd));
		}
	globfree(&found);
	return is_found;
}

static int drop_zram(unsigned number, struct err *err)
{
	owned(free) char *reset = mem_format("/sys/block/zram%u/reset", number);

	return write_number(reset, 1, err) < 0 ||
			       write_number(CONTROL "hot_remove", number, err) < 0
		       ? -1
		       : 0;
}

static int fill_zram(const struct datadir *dir, unsigned number, uint64_t bytes, struct err *err)
{
	owned(free) char *size = mem_format("/sys/block/zram%u/disksize", number);
	owned(close) int fd = -1;

	if (write_number(size, bytes, err) < 0)
		return -1;
	fd = open_zram(number);
	if (fd < 0)
		return err_sys(err, "open zram%u", number);
	return make_swap(dir, fd, err) < 0
		       ? -1
		       : turn_on(fd, SWAP_FLAG_PREFER | (ZRAM_FIRST << SWAP_FLAG_PRIO_SHIFT), err);
}

static int zram_up(const struct datadir *dir, uint64_t bytes, struct err *err)
{
	owned(str_done) struct str text = str_new(32);
	owned(close) int fd = -1;
	struct err ignored = ERR_INIT; /* the first failure is what is told */
	unsigned number;

	if (find_zram(dir, &number, &fd))
		return turn_on(fd, SWAP_FLAG_PREFER | (ZRAM_FIRST << SWAP_FLAG_PRIO_SHIFT), err);
	if (file_read(AT_FDCWD, CONTROL "hot_add", &text, err) < 0)
		return err->kind == ERR_NOT_FOUND
			       ? err_set(err, ERR_NOT_FOUND,
					 "this kernel has no zram now: modprobe zram")
			       : -1;
	number = (unsigned)strtoul(text.data, NULL, 10);
	if (fill_zram(dir, number, bytes, err) == 0)
		return 0;
	if (drop_zram(number, &ignored) < 0)
		log_warn("runner.swap", "error=%s", ignored.text);
	return -1;
}

static int zram_down(const struct datadir *dir, struct err *err)
{
	owned(close) int fd = -1;
	unsigned number;

	if (!find_zram(dir, &number, &fd))
		return 0;
	if (turn_off(fd, err) < 0)
		return -1;
	close(take_fd(&fd)); /* the device is busy while it is open */
	return drop_zram(number, err);
}

/* --- both --- */

int swap_up(const struct datadir *dir, const struct swap_plan *plan, struct err *err)
{
	struct sysinfo info;
	uint64_t bytes = plan->bytes;

	if (plan->kind == SWAP_NONE)
		return 0;
	if (sysinfo(&info) < 0)
		return err_sys(err, "sysinfo");
	if (bytes == 0)
		bytes = (uint64_t)info.totalram * info.mem_unit / (plan->kind == SWAP_ZRAM ? 2 : 1);
	return plan->kind == SWAP_ZRAM ? zram_up(dir, bytes, err) : file_up(dir, bytes, err);
}

int swap_down(const struct datadir *dir, struct err *err)
{
	return file_down(dir, err) < 0 || zram_down(dir, err) < 0 ? err_in(err, "swap") : 0;
}
