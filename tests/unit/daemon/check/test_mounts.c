#include "checking.h"

#include <sys/mount.h>

#include "../../base/machine.h"
#include "../../scratch_dir.h"
#include "base/proc.h"
#include "runner/data.h"
#include "runner/record.h"

#define SPACE  "0123456789abcdef01234567"
#define OTHER  "fedcba9876543210fedcba98"
#define KEY    SPACE "-1"
#define BUNDLE "run/bundles/" KEY
#define BYTES  (UINT64_C(64) << 20)

/* Is there a machine to ourselves, where we may mount? */
static bool alone;

/* A data directory with a run whose monitor we are, so that it sees at /data what we do. */
struct place {
	struct datadir dir;
	char *data;
};

static void write_record(const struct place *place, enum engine_state state, uint64_t data_bytes)
{
	struct record record = {.run = {.kind = ENGINE_APP, .state = state, .space = SPACE},
				.data_bytes = data_bytes,
				.conmon = getpid(),
				.conmon_start = proc_start_time(getpid())};
	struct err err = ERR_INIT;

	snprintf(record.run.key, sizeof(record.run.key), "%s", KEY);
	assert_int_equal(record_write(&place->dir, &record, &err), 0);
}

/* The disk of a Space, at a path. */
static void attach(const struct place *place, const char *space, const char *path)
{
	owned(close) int mount = -1;
	struct err err = ERR_INIT;

	if (data_open(&place->dir, space, BYTES, 1000000, &mount, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(move_mount(mount, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH), 0);
}

static int set_up(void **state)
{
	struct place *place = mem_new(struct place);
	struct err err = ERR_INIT;

	*state = place;
	assert_int_equal(scratch_dir_make_spaces(&place->dir), 0);
	assert_int_equal(mkdirat(place->dir.fd, "spaces/" SPACE, 0700), 0);
	assert_int_equal(mkdirat(place->dir.fd, "spaces/" OTHER, 0700), 0);
	assert_int_equal(file_make_dirs(place->dir.fd, BUNDLE "/data", 0700, &err), 0);
	place->data = datadir_path(&place->dir, BUNDLE "/data");
	if (!alone)
		return 0;
	attach(place, SPACE, place->data);
	write_record(place, ENGINE_RUNNING, BYTES);
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	umount2(place->data, MNT_DETACH); /* a test may have done it */
	free(place->data);
	scratch_dir_remove(&place->dir);
	free(place);
	return 0;
}

/* All that is said; --repair takes no run from its visitors, so that it says the same. */
static void expect(const struct place *place, const char *said)
{
	for (int repairs = 0; repairs < 2; repairs++) {
		struct checking checking;
		struct err err = ERR_INIT;

		checking_begin(&checking);
		checking.checkup.dir = &place->dir;
		checking.checkup.repairs = repairs;
		assert_int_equal(checkup_mounts(&checking.checkup, &err), 0);
		assert_string_equal(checking_text(&checking), said);
		checking_end(&checking);
	}
}

static const char not_mounted[] =
	"warning: run " KEY
	": its /data is not mounted; restart the Space; make room before, where "
	"the disk is full\n";
static const char read_only[] =
	"warning: run " KEY ": its /data has become read-only: a write to this machine's disk has "
	"failed; restart the Space; make room before, where the disk is full\n";

static void what_a_run_may_write_to_is_good(void **state)
{
	if (!alone)
		skip();
	expect(*state, "");
	write_record(*state, ENGINE_FROZEN, BYTES);
	expect(*state, "");
}

static void a_disk_that_is_not_mounted_is_named(void **state)
{
	struct place *place = *state;

	if (!alone)
		skip();
	assert_int_equal(umount2(place->data, MNT_DETACH), 0);
	expect(place, not_mounted);
	write_record(place, ENGINE_FROZEN, BYTES);
	expect(place, not_mounted);
	attach(place, SPACE, place->data);
	expect(place, "");
}

/* Nor is the disk of another run, which is mounted later, taken for it. */
static void another_file_system_in_its_place_is_named(void **state)
{
	struct place *place = *state;
	owned(free) char *elsewhere = datadir_path(&place->dir, "other");

	if (!alone)
		skip();
	assert_int_equal(umount2(place->data, MNT_DETACH), 0);
	assert_int_equal(mount("none", place->data, "tmpfs", 0, ""), 0);
	assert_int_equal(mkdirat(place->dir.fd, "other", 0700), 0);
	attach(place, OTHER, elsewhere);
	expect(place, not_mounted);
	assert_int_equal(umount2(elsewhere, MNT_DETACH), 0);
}

static void a_disk_that_is_read_only_is_named(void **state)
{
	struct place *place = *state;

	if (!alone)
		skip();
	assert_int_equal(mount(NULL, place->data, NULL, MS_REMOUNT | MS_RDONLY, ""), 0);
	expect(place, read_only);
	assert_int_equal(mount(NULL, place->data, NULL, MS_REMOUNT, ""), 0);
	expect(place, "");
}

/*
 * What ext4 does of itself by errors=remount-ro: some kernels have a word of their own for it. The
 * next start puts it right, however new the disk was.
 */
static void a_disk_that_has_failed_is_named(void **state)
{
	struct place *place = *state;

	if (!alone)
		skip();
	assert_int_equal(mount(NULL, place->data, NULL, MS_REMOUNT, "abort"), 0);
	expect(place, read_only);
	assert_int_equal(umount2(place->data, MNT_DETACH), 0);
	attach(place, SPACE, place->data);
	expect(place, "");
}

static void runs_without_a_disk_or_not_running_are_not_asked(void **state)
{
	struct place *place = *state;
	struct err err = ERR_INIT;

	if (!alone)
		skip();
	assert_int_equal(umount2(place->data, MNT_DETACH), 0);
	write_record(place, ENGINE_STARTING, BYTES);
	expect(place, "");
	write_record(place, ENGINE_ENDED, BYTES);
	expect(place, "");
	write_record(place, ENGINE_RUNNING, 0);
	expect(place, "");
	assert_int_equal(record_remove(&place->dir, KEY, &err), 0);
	expect(place, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_a_run_may_write_to_is_good),
		TEST(a_disk_that_is_not_mounted_is_named),
		TEST(another_file_system_in_its_place_is_named),
		TEST(a_disk_that_is_read_only_is_named),
		TEST(a_disk_that_has_failed_is_named),
		TEST(runs_without_a_disk_or_not_running_are_not_asked),
	};

	alone = machine_become();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
