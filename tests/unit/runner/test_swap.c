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
#include "runner/swap.h"

#include "../scratch_dir.h"

/* What turns swap space on and off needs root: tests/unit/engine/test_local.c. */
static struct datadir dir;

static int set_up(void **state)
{
	scratch_dir_make(&dir);
	return 0;
}

static int tear_down(void **state)
{
	return scratch_dir_remove(&dir);
}

static struct swap_plan parsed(const char *text)
{
	struct swap_plan plan;
	struct err err = ERR_INIT;

	if (swap_parse(text, &plan, &err) < 0)
		fail_msg("%s", err.text);
	return plan;
}

static void a_plan_is_a_kind_and_a_size(void **state)
{
	assert_int_equal(parsed("none").kind, SWAP_NONE);
	assert_int_equal(parsed("zram").kind, SWAP_ZRAM);
	assert_int_equal(parsed("zram").bytes, 0);
	assert_int_equal(parsed("file").kind, SWAP_FILE);
	assert_true(parsed("file:8G").bytes == UINT64_C(8) << 30);
	assert_true(parsed("zram:64M").bytes == UINT64_C(64) << 20);
	assert_true(parsed("file:64T").bytes == UINT64_C(64) << 40);
}

static void all_else_is_refused_by_name(void **state)
{
	static const char *const bad[] = {"",
					  "None",
					  "zra",
					  "zramm",
					  "none:1G",
					  "zram:",
					  "zram:8",
					  "zram:8g",
					  "zram:8GB",
					  "zram:-8G",
					  "file: 8G",
					  "file:63M",
					  "file:65T",
					  "file:0G",
					  "file:1K",
					  "swap:8G",
					  "file:8G:1",
					  "file:8G ",
					  "file:99999999999999999999G"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct swap_plan plan;
		struct err err = ERR_INIT;

		assert_int_equal(swap_parse(bad[i], &plan, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.text, "sleep.swap"));
	}
}

static void no_plan_makes_nothing(void **state)
{
	struct swap_plan plan = {SWAP_NONE, 0};
	struct err err = ERR_INIT;

	assert_int_equal(swap_up(&dir, &plan, &err), 0);
	assert_false(file_exists(dir.fd, "swap"));
	assert_int_equal(swap_down(&dir, &err), 0);
}

/* The hub may write in that folder: root turns nothing on that somebody else has put there. */
static void a_file_of_others_is_left_alone(void **state)
{
	struct swap_plan plan = {SWAP_FILE, UINT64_C(64) << 20};
	struct err err = ERR_INIT;
	struct stat st;

	assert_int_equal(symlinkat("/etc/hostname", dir.fd, "swap"), 0);
	assert_int_equal(swap_up(&dir, &plan, &err), -1);
	assert_int_equal(swap_down(&dir, &err), -1);
	assert_int_equal(fstatat(dir.fd, "swap", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlinkat(dir.fd, "swap", 0), 0);
	assert_int_equal(file_write(dir.fd, "swap", "x", 1, 0644, &err), 0);
	assert_int_equal(swap_up(&dir, &plan, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(fstatat(dir.fd, "swap", &st, 0), 0);
	assert_int_equal(st.st_size, 1);
}

static void a_disk_is_not_filled(void **state)
{
	struct swap_plan plan = {SWAP_FILE, UINT64_C(64) << 40};
	struct err err = ERR_INIT;

	assert_int_equal(swap_up(&dir, &plan, &err), -1);
	assert_int_equal(err.kind, ERR_FULL);
	assert_false(file_exists(dir.fd, "swap"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_is_a_kind_and_a_size),
		cmocka_unit_test(all_else_is_refused_by_name),
		cmocka_unit_test_setup_teardown(no_plan_makes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_of_others_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_disk_is_not_filled, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
