#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "runner/data.h"

#include "../scratch_dir.h"

/* What needs root, loop devices and mounts is in tests/unit/engine/test_local.c. */
#define SPACE "0123456789abcdef01234567"

static struct datadir dir;

static int set_up(void **state)
{
	return scratch_dir_make_spaces(&dir);
}

static int tear_down(void **state)
{
	return scratch_dir_remove(&dir);
}

static int make_image(const char *size, const char *blocks)
{
	owned(free) char *path = datadir_path(&dir, "image");
	const char *const argv[] = {"mkfs.ext4", "-q", "-F", "-b", blocks, path, size, NULL};
	struct err err = ERR_INIT;
	int image = openat(dir.fd, "image", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(image >= 0);
	if (proc_run(argv, NULL, NULL, &err) < 0)
		fail_msg("%s", err.text);
	return image;
}

static void the_size_is_that_of_the_file_system(void **state)
{
	static const struct {
		const char *size, *blocks;
		uint64_t bytes;
	} rows[] = {
		{"64M", "4096", UINT64_C(64) << 20},
		{"64M", "1024", UINT64_C(64) << 20},
		{"3G", "4096", UINT64_C(3) << 30},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		owned(close) int image = make_image(rows[i].size, rows[i].blocks);
		struct err err = ERR_INIT;
		uint64_t got = 0;

		assert_int_equal(ftruncate(image, (off_t)UINT64_C(4) << 30), 0); /* not its file */
		assert_int_equal(data_size(image, &got, &err), 0);
		assert_true(got == rows[i].bytes);
	}
}

static void what_is_no_file_system_has_no_size(void **state)
{
	owned(close) int image = make_image("64M", "4096");
	struct err err = ERR_INIT;
	uint64_t got = 7;

	assert_int_equal(pwrite(image, "xx", 2, 1024 + 0x38), 2); /* its magic number */
	assert_int_equal(data_size(image, &got, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(ftruncate(image, 100), 0);
	assert_int_equal(data_size(image, &got, &err), -1);
	assert_int_equal(ftruncate(image, 0), 0);
	assert_int_equal(data_size(image, &got, &err), -1);
	assert_int_equal(got, 7);
}

static void a_space_without_a_disk_has_none_to_drop(void **state)
{
	struct err err = ERR_INIT;
	struct stat st;

	assert_int_equal(data_drop(&dir, SPACE, &err), 0);
	assert_int_equal(mkdirat(dir.fd, "spaces/" SPACE, 0700), 0);
	assert_int_equal(data_drop(&dir, SPACE, &err), 0);
	/* What a cut attempt to make one has left goes as well. */
	assert_int_equal(file_write(dir.fd, "spaces/" SPACE "/" DATA_IMAGE_NEW, "x", 1, 0600, &err),
			 0);
	assert_int_equal(data_drop(&dir, SPACE, &err), 0);
	assert_int_equal(fstatat(dir.fd, "spaces/" SPACE "/" DATA_IMAGE_NEW, &st, 0), -1);
}

static void a_planted_image_is_neither_opened_nor_followed(void **state)
{
	struct err err = ERR_INIT;
	struct stat st;
	int mount = -1;

	assert_int_equal(file_write(dir.fd, "other", "x", 1, 0600, &err), 0);
	assert_int_equal(mkdirat(dir.fd, "spaces/" SPACE, 0700), 0);
	assert_int_equal(symlinkat("../../other", dir.fd, "spaces/" SPACE "/" DATA_IMAGE), 0);
	assert_int_equal(data_open(&dir, SPACE, 1 << 30, 1000000, &mount, &err), -1);
	assert_int_equal(data_drop(&dir, SPACE, &err), -1);
	assert_int_equal(unlinkat(dir.fd, "spaces/" SPACE "/" DATA_IMAGE, 0), 0);
	assert_int_equal(linkat(dir.fd, "other", dir.fd, "spaces/" SPACE "/" DATA_IMAGE, 0), 0);
	assert_int_equal(data_open(&dir, SPACE, 1 << 30, 1000000, &mount, &err), -1);
	assert_non_null(strstr(err.text, "not root's own"));
	assert_int_equal(mount, -1);
	assert_int_equal(fstatat(dir.fd, "other", &st, 0), 0);
	assert_int_equal(st.st_size, 1);
}

int main(void)
{
#define IN_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_PLACE(the_size_is_that_of_the_file_system),
		IN_PLACE(what_is_no_file_system_has_no_size),
		IN_PLACE(a_space_without_a_disk_has_none_to_drop),
		IN_PLACE(a_planted_image_is_neither_opened_nor_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
