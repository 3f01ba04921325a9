#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/datadir.h"
#include "base/file.h"
#include "base/mem.h"

/*
 * A folder in the place of a data directory, for modules that only need the folder: nothing is
 * claimed, mounted or owned by anybody else.
 */
static inline void scratch_dir_make(struct datadir *dir)
{
	char place[] = "/tmp/espace-dir-XXXXXX";

	assert_non_null(mkdtemp(place));
	dir->path = mem_text(place);
	dir->fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir->fd >= 0);
}

/* The same with a folder for Spaces, all of it ours. */
static inline int scratch_dir_make_spaces(struct datadir *dir)
{
	scratch_dir_make(dir);
	dir->owner = getuid();
	dir->group = getgid();
	return mkdirat(dir->fd, "spaces", 0700);
}

static inline int scratch_dir_remove(struct datadir *dir)
{
	struct err err = ERR_INIT;
	int result = file_remove_tree(AT_FDCWD, dir->path, &err);

	close(dir->fd);
	free(dir->path);
	return result;
}
