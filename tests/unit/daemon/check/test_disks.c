#include "checking.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

#define SPACE "0123456789abcdef01234567"
#define OTHER "fedcba9876543210fedcba98"
#define IMAGE "spaces/" SPACE "/data.img"

enum { BYTES = 4096 };

static const char good[] =
	"INSERT INTO accounts (id, hex, type, name, created_ms) VALUES (1, 'a', 'user', 'me', 1);"
	"INSERT INTO repos (id, hex, type, owner_id, name, is_private, creator_id, created_ms,"
	" modified_ms, sdk) VALUES (5, '" SPACE "', 'space', 1, 'demo', 0, 1, 1, 1, 'gradio');"
	"INSERT INTO spaces (repo_id, hex, full_name, slug, flavor, stage, storage, data_bytes)"
	" VALUES (5, '" SPACE "', 'me/demo', 'me-demo', 'cpu-basic', 'RUNNING', 'small', 4096)";

static struct datadir dir;

/* From outside, so that rules of the store do not hold it up. */
static void write_rows(const struct scratch *scratch, const char *sql)
{
	sqlite3 *other = NULL;

	assert_int_equal(sqlite3_open(scratch->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static int set_up(void **state)
{
	owned(close) int image = -1;

	if (scratch_setup(state) < 0)
		return -1;
	write_rows(scratch_of(state), good);
	dir = DATADIR_INIT;
	dir.path = scratch_of(state)->dir;
	dir.fd = open(dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(dir.fd, "spaces", 0700), 0);
	assert_int_equal(mkdirat(dir.fd, "spaces/" SPACE, 0700), 0);
	image = openat(dir.fd, IMAGE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return ftruncate(image, BYTES);
}

static int tear_down(void **state)
{
	unlinkat(dir.fd, IMAGE, 0);
	unlinkat(dir.fd, "spaces/" SPACE, AT_REMOVEDIR);
	unlinkat(dir.fd, "spaces/" OTHER, AT_REMOVEDIR);
	unlinkat(dir.fd, "spaces", AT_REMOVEDIR);
	close(dir.fd);
	return scratch_teardown(state);
}

/* What is said after `sql` was run on good rows. */
static void expect(void **state, const char *sql, const char *said)
{
	struct checking checking;
	struct err err = ERR_INIT;

	write_rows(scratch_of(state), sql);
	checking_begin(&checking);
	checking.checkup.store = scratch_of(state)->store;
	checking.checkup.dir = &dir;
	assert_int_equal(checkup_disks(&checking.checkup, &err), 0);
	if (*said)
		assert_non_null(strstr(checking_text(&checking), said));
	else
		assert_string_equal(checking_text(&checking), "");
	checking_end(&checking);
}

static void a_good_one_is_not_mentioned(void **state)
{
	expect(state, "", "");
	expect(state, "UPDATE spaces SET data_bytes = 0", "");
}

static void one_that_is_missing_is_named(void **state)
{
	assert_int_equal(unlinkat(dir.fd, IMAGE, 0), 0);
	expect(state, "", "problem: " IMAGE ": it is missing");
	/* It is being removed, or was never made. */
	expect(state, "UPDATE spaces SET data_drops = 1", "");
	expect(state, "UPDATE spaces SET data_dropped = 1, data_bytes = 0", "");
}

static void one_that_was_cut_is_named(void **state)
{
	expect(state, "UPDATE spaces SET data_bytes = 8192", "problem: " IMAGE ": its end is");
}

static void one_that_nobody_has_is_named_and_kept(void **state)
{
	expect(state, "UPDATE spaces SET storage = '', data_bytes = 0",
	       "warning: " IMAGE ": its Space has no storage");
	expect(state, "UPDATE spaces SET data_drops = 1", ""); /* about to be removed */
	expect(state, "UPDATE spaces SET hex = '" OTHER "'", IMAGE ": no Space has it");
	assert_int_equal(faccessat(dir.fd, IMAGE, F_OK, 0), 0);
}

static void one_that_others_may_read_is_named(void **state)
{
	assert_int_equal(fchmodat(dir.fd, IMAGE, 0644, 0), 0);
	expect(state, "", "problem: " IMAGE ": it is not a file of root's own");
}

static void a_link_in_its_place_is_named(void **state)
{
	assert_int_equal(unlinkat(dir.fd, IMAGE, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir.fd, IMAGE), 0);
	expect(state, "", "problem: " IMAGE ": it is not a file of root's own");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_good_one_is_not_mentioned),
		TEST(one_that_is_missing_is_named),
		TEST(one_that_was_cut_is_named),
		TEST(one_that_nobody_has_is_named_and_kept),
		TEST(one_that_others_may_read_is_named),
		TEST(a_link_in_its_place_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
