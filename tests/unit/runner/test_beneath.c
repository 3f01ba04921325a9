#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "runner/beneath.h"

#include "../scratch_dir.h"

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

static void no_link_is_followed(void **state)
{
	owned(close) int fd = -1;
	struct err err = ERR_INIT;

	assert_int_equal(symlinkat("/etc", dir.fd, "layers"), 0);
	assert_int_equal(beneath_open(&dir, "layers", O_RDONLY | O_DIRECTORY, &fd, &err), -1);
	assert_int_equal(beneath_open(&dir, "layers/passwd", O_RDONLY, &fd, &err), -1);
	assert_int_equal(beneath_open(&dir, "../etc", O_RDONLY, &fd, &err), -1);
	assert_int_equal(beneath_open(&dir, "nothing", O_RDONLY, &fd, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void a_log_is_made_with_its_folders(void **state)
{
	owned(close) int fd = -1;
	owned(close) int again = -1;
	struct err err = ERR_INIT;
	struct stat st;

	assert_int_equal(beneath_open_log(&dir, SPACE, "run-1.log", &fd, &err), 0);
	assert_int_equal(beneath_open_log(&dir, SPACE, "run-1.log", &again, &err), 0);
	assert_int_equal(fstatat(dir.fd, "spaces/" SPACE "/logs/run-1.log", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void a_planted_log_is_refused(void **state)
{
	owned(close) int fd = -1;
	struct err err = ERR_INIT;

	assert_int_equal(mkdirat(dir.fd, "spaces/" SPACE, 0700), 0);
	assert_int_equal(mkdirat(dir.fd, "spaces/" SPACE "/logs", 0700), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir.fd, "spaces/" SPACE "/logs/run-1.log"), 0);
	assert_int_equal(beneath_open_log(&dir, SPACE, "run-1.log", &fd, &err), -1);
	assert_int_equal(mkfifoat(dir.fd, "spaces/" SPACE "/logs/run-2.log", 0600), 0);
	assert_int_equal(beneath_open_log(&dir, SPACE, "run-2.log", &fd, &err), -1);
	assert_int_equal(file_write(dir.fd, "spaces/secret", "x", 1, 0600, &err), 0);
	assert_int_equal(
		linkat(dir.fd, "spaces/secret", dir.fd, "spaces/" SPACE "/logs/run-3.log", 0), 0);
	assert_int_equal(beneath_open_log(&dir, SPACE, "run-3.log", &fd, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
#define IN_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_PLACE(no_link_is_followed),
		IN_PLACE(a_log_is_made_with_its_folders),
		IN_PLACE(a_planted_log_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
