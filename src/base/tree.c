#include "base/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/mem.h"

enum { BLOCK_BYTES = 512 }; /* of st_blocks, stat(2) */

static void close_walk(FTS *walk)
{
	if (walk)
		fts_close(walk);
}
DEFINE_OWNED(FTS *, close_walk);

int tree_bytes(int dirfd, const char *path, int64_t *out, struct err *err)
{
	owned(free) char *start =
		dirfd == AT_FDCWD ? mem_text(path) : mem_format("/proc/self/fd/%d/%s", dirfd, path);
	char *const starts[] = {start, NULL};
	owned(close_walk) FTS *walk = fts_open(starts, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	int64_t bytes = 0;
	const FTSENT *entry;

	if (!walk)
		return err_sys(err, "look through %s", path);
	while ((errno = 0, entry = fts_read(walk)))
		if (entry->fts_info == FTS_D ||
		    ((entry->fts_info == FTS_F || entry->fts_info == FTS_SL) &&
		     entry->fts_statp->st_nlink == 1))
			bytes += (int64_t)entry->fts_statp->st_blocks * BLOCK_BYTES;
	if (errno)
		return err_sys(err, "look through %s", path);
	*out = bytes;
	return 0;
}
