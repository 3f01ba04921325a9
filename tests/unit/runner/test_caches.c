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
#include "runner/caches.h"
#include "runner/record.h"

#include "../scratch_dir.h"

/* As root, as in CI: cache/ must be root's. */

enum { SIZE = 1 << 20 };

#define OWNER "0123456789abcdef01234567"

static struct datadir dir;

/* A cache of SIZE bytes that was last used so long ago. */
static void make_cache(const char *scope, time_t ago_s)
{
	owned(free) char *folder = mem_format("cache/%s/cache", scope);
	owned(free) char *wheel = mem_format("%s/wheel", folder);
	owned(free) char *lock = mem_format("%s/.lock", folder);
	owned(free) char *bytes = mem_alloc(SIZE);
	struct timespec times[2];
	struct err err = ERR_INIT;

	memset(bytes, 'x', SIZE);
	assert_int_equal(file_make_dirs(dir.fd, folder, 0755, &err), 0);
	assert_int_equal(file_write(dir.fd, wheel, bytes, SIZE, 0644, &err), 0);
	assert_int_equal(file_write(dir.fd, lock, "", 0, 0644, &err), 0);
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= ago_s;
	times[1] = times[0];
	assert_int_equal(utimensat(dir.fd, lock, times, 0), 0);
}

static int set_up(void **state)
{
	scratch_dir_make(&dir);
	dir.network = 0x0ad50000;
	if (mkdirat(dir.fd, "run", 0700) < 0 || mkdirat(dir.fd, "run/bundles", 0700) < 0 ||
	    mkdirat(dir.fd, "cache", 0711) < 0)
		return -1;
	make_cache("shared", 3000);
	make_cache(OWNER, 2000);
	make_cache("fedcba9876543210fedcba98", 1000);
	return 0;
}

static int tear_down(void **state)
{
	return scratch_dir_remove(&dir);
}

static int64_t trim(int64_t max_bytes)
{
	struct err err = ERR_INIT;
	int64_t bytes = -1;

	if (caches_trim(&dir, max_bytes, &bytes, &err) < 0)
		fail_msg("%s", err.text);
	return bytes;
}

static bool is_there(const char *scope)
{
	owned(free) char *path = mem_format("cache/%s/cache", scope);

	return file_exists(dir.fd, path);
}

static void below_the_limit_nothing_goes(void **state)
{
	assert_int_equal(trim(INT64_C(100) * SIZE), 0);
	assert_true(is_there("shared"));
	assert_true(is_there(OWNER));
}

static void the_longest_unused_goes_first_and_the_shared_one_last(void **state)
{
	assert_in_range(trim(INT64_C(5) * SIZE / 2), SIZE, 2 * SIZE);
	assert_false(is_there(OWNER));
	assert_true(is_there("fedcba9876543210fedcba98"));
	assert_true(is_there("shared"));
	assert_in_range(trim(INT64_C(3) * SIZE / 2), SIZE, 2 * SIZE);
	assert_false(is_there("fedcba9876543210fedcba98"));
	assert_true(is_there("shared"));
	trim(1);
	assert_false(is_there("shared"));
}

static void a_build_that_lives_keeps_all(void **state)
{
	struct record record = {.run = {.kind = ENGINE_BUILD,
					.state = ENGINE_RUNNING,
					.key = "env-0123456789abcdef"}};
	struct err err = ERR_INIT;

	assert_int_equal(record_write(&dir, &record, &err), 0);
	assert_int_equal(trim(1), 0);
	assert_true(is_there(OWNER));
	record.run.state = ENGINE_ENDED;
	assert_int_equal(record_write(&dir, &record, &err), 0);
	assert_true(trim(1) > 0);
	assert_false(is_there(OWNER));
}

static void what_an_earlier_trim_left_is_removed(void **state)
{
	assert_int_equal(mkdirat(dir.fd, "cache/" OWNER "/gone-1", 0755), 0);
	trim(INT64_C(100) * SIZE);
	assert_false(file_exists(dir.fd, "cache/" OWNER "/gone-1"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(below_the_limit_nothing_goes),
		CASE(the_longest_unused_goes_first_and_the_shared_one_last),
		CASE(a_build_that_lives_keeps_all),
		CASE(what_an_earlier_trim_left_is_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
