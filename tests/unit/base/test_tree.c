#include "base/tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../scratch_dir.h"

enum { SIZE = 64 * 1024 };

static void put(const struct datadir *dir, const char *path)
{
	owned(free) char *bytes = mem_alloc(SIZE);
	struct err err = ERR_INIT;

	memset(bytes, 'x', SIZE);
	assert_int_equal(file_write(dir->fd, path, bytes, SIZE, 0600, &err), 0);
}

static int64_t bytes_of(const struct datadir *dir, const char *path)
{
	struct err err = ERR_INIT;
	int64_t bytes = -1;

	assert_int_equal(tree_bytes(dir->fd, path, &bytes, &err), 0);
	return bytes;
}

static void counts_what_would_come_free(void **state)
{
	struct datadir dir = {0};

	scratch_dir_make(&dir);
	assert_int_equal(mkdirat(dir.fd, "tree", 0700), 0);
	assert_int_equal(mkdirat(dir.fd, "tree/deep", 0700), 0);
	put(&dir, "tree/deep/one");
	put(&dir, "elsewhere");
	assert_in_range(bytes_of(&dir, "tree"), SIZE, 2 * SIZE - 1);
	/* A second name keeps the bytes; a link has none of its own. */
	assert_int_equal(linkat(dir.fd, "elsewhere", dir.fd, "tree/shared", 0), 0);
	assert_int_equal(symlinkat("../elsewhere", dir.fd, "tree/link"), 0);
	assert_in_range(bytes_of(&dir, "tree"), SIZE, 2 * SIZE - 1);
	assert_int_equal(bytes_of(&dir, "nothing"), 0);
	scratch_dir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(counts_what_would_come_free)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
