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
#include "runner/record.h"

#include "../scratch_dir.h"

#define KEY "0123456789abcdef01234567-4"

static struct datadir dir;

static int set_up(void **state)
{
	scratch_dir_make(&dir);
	dir.network = 0x0ad50000;
	return mkdirat(dir.fd, "run", 0700) < 0 ? -1 : mkdirat(dir.fd, "run/bundles", 0700);
}

static int tear_down(void **state)
{
	return scratch_dir_remove(&dir);
}

static struct record full_record(void)
{
	return (struct record){
		.run = {.kind = ENGINE_BUILD,
			.state = ENGINE_ENDED,
			.key = KEY,
			.space = "0123456789abcdef01234567",
			.address = 0x0ad50009,
			.port = 7860,
			.exit_status = -1,
			.oom = true,
			.paged = true,
			.started_ms = 1700000000000,
			.ended_ms = 1700000000001,
			.reason = "first line\npid=7"},
		.slot = 9,
		.log = "build-2.log",
		.result = "env-0123456789abcdef",
		.cache = "shared",
		.cpu_milli = 1500,
		.disk_bytes = UINT64_C(50) << 30,
		.data_bytes = UINT64_C(20) << 30,
		.pid = 1234,
		.pid_start = UINT64_C(12345678901),
		.conmon = 1233,
		.conmon_start = 5,
	};
}

static void what_is_written_is_read(void **state)
{
	struct record record = full_record();
	struct record got = {0};
	struct err err = ERR_INIT;

	assert_int_equal(record_write(&dir, &record, &err), 0);
	assert_int_equal(record_read(&dir, KEY, &got, &err), 0);
	assert_int_equal(got.run.kind, record.run.kind);
	assert_int_equal(got.run.state, record.run.state);
	assert_string_equal(got.run.key, KEY);
	assert_string_equal(got.run.space, record.run.space);
	assert_int_equal(got.run.address, record.run.address);
	assert_int_equal(got.run.port, record.run.port);
	assert_int_equal(got.run.exit_status, -1);
	assert_true(got.run.oom && got.run.paged);
	assert_true(got.run.started_ms == record.run.started_ms);
	assert_true(got.run.ended_ms == record.run.ended_ms);
	assert_int_equal(got.slot, 9);
	assert_string_equal(got.log, record.log);
	assert_string_equal(got.result, record.result);
	assert_string_equal(got.cache, record.cache);
	assert_int_equal(got.cpu_milli, 1500);
	assert_int_equal(got.disk_bytes, record.disk_bytes);
	assert_int_equal(got.data_bytes, record.data_bytes);
	assert_true(got.pid_start == record.pid_start);
	assert_int_equal(got.conmon, 1233);
	/* The only free text can't make a line of its own. */
	assert_string_equal(got.run.reason, "first line pid=7");
	assert_int_equal(got.pid, 1234);
}

static void a_cut_record_is_refused(void **state)
{
	struct record got = {0};
	struct err err = ERR_INIT;

	assert_int_equal(record_read(&dir, KEY, &got, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(mkdirat(dir.fd, "run/bundles/" KEY, 0700), 0);
	assert_int_equal(file_write(dir.fd, "run/bundles/" KEY "/run", "kind=0\n", 7, 0600, &err),
			 0);
	assert_int_equal(record_read(&dir, KEY, &got, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void stripping_leaves_the_record_alone(void **state)
{
	struct record record = full_record();
	struct err err = ERR_INIT;

	assert_int_equal(record_write(&dir, &record, &err), 0);
	assert_int_equal(file_write(dir.fd, "run/bundles/" KEY "/config.json", "x", 1, 0600, &err),
			 0);
	assert_int_equal(mkdirat(dir.fd, "run/bundles/" KEY "/rootfs", 0700), 0);
	assert_int_equal(record_strip(&dir, KEY, &err), 0);
	assert_false(file_exists(dir.fd, "run/bundles/" KEY "/config.json"));
	assert_false(file_exists(dir.fd, "run/bundles/" KEY "/rootfs"));
	assert_true(file_exists(dir.fd, "run/bundles/" KEY "/run"));
	assert_int_equal(record_remove(&dir, KEY, &err), 0);
	assert_false(file_exists(dir.fd, "run/bundles/" KEY));
}

static void a_spec_becomes_a_starting_record(void **state)
{
	const struct engine_spec spec = {
		.kind = ENGINE_APP, .key = KEY, .space = "s", .log = "run-1.log", .port = 5};
	struct record record = record_of(&spec, 3);

	assert_int_equal(record.run.state, ENGINE_STARTING);
	assert_int_equal(record.slot, 3);
	assert_string_equal(record.result, "");
	assert_int_equal(record.run.address, 0);
}

int main(void)
{
#define IN_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_PLACE(what_is_written_is_read),
		IN_PLACE(a_cut_record_is_refused),
		IN_PLACE(stripping_leaves_the_record_alone),
		IN_PLACE(a_spec_becomes_a_starting_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
