#include "repo/mark.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

static char *path_of(const char *repo)
{
	return mem_format("%s/espace-unsettled", repo);
}

/* It says what it says by its name: no byte of it is to be synced. */
int mark_set(const char *repo, struct err *err)
{
	owned(free) char *path = path_of(repo);
	owned(close) int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, "%s", path);
	return file_sync_dir(AT_FDCWD, repo, err);
}

void mark_clear(const char *repo)
{
	owned(free) char *path = path_of(repo);

	unlink(path); /* one that stays means nothing */
}

bool mark_is_older(const char *repo, int64_t age_s)
{
	owned(free) char *path = path_of(repo);
	struct stat st;

	return lstat(path, &st) == 0 && clock_wall_ms() / 1000 - st.st_mtim.tv_sec > age_s;
}
