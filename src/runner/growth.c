#include "runner/growth.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "runner/beneath.h"

enum {
	LOOK_PART = 8, /* of the limit */
	DEPTH_MAX = 64,
	BLOCK_BYTES = 512, /* of st_blocks: stat(2) */
};

static uint64_t free_bytes(const struct datadir *dir)
{
	struct statvfs room;

	return fstatvfs(dir->fd, &room) < 0 ? 0 : room.f_bfree * room.f_frsize;
}

struct growth growth_of(const struct datadir *dir, uint64_t limit, int64_t since_s)
{
	return (struct growth){.limit = limit, .since_s = since_s, .free_bytes = free_bytes(dir)};
}

/* Bytes of the files below a folder that have changed since; of a file with several names, the
 * share of each. */
static uint64_t changed_bytes(int parent, const char *name, int64_t since_s, unsigned depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	owned(closedir) DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t sum = 0;

	while (folder && (entry = readdir(folder))) {
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			sum += changed_bytes(fd, entry->d_name, since_s, depth + 1);
		else if (S_ISREG(st.st_mode) && st.st_ctim.tv_sec >= since_s && st.st_nlink > 0)
			sum += (uint64_t)st.st_blocks * BLOCK_BYTES / st.st_nlink;
	}
	return sum;
}

bool growth_is_over(struct growth *growth, const struct datadir *dir)
{
	owned(close) int cache = -1;
	struct err err = ERR_INIT; /* no cache: nothing in it */
	uint64_t now = free_bytes(dir);

	if (growth->limit == 0 || now + growth->limit / LOOK_PART > growth->free_bytes)
		return false;
	growth->free_bytes = now;
	return beneath_open_cache(dir, &cache, &err) == 0 &&
	       changed_bytes(cache, "shared", growth->since_s, 0) > growth->limit;
}
