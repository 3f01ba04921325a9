#include "checking.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "repo/git.h"
#include "scratch.h"

#define HEX    "0123456789abcdef01234567"
#define FOLDER "repos/" HEX ".git"

/* A data directory with one Space and its repository. */
struct place {
	struct scratch *scratch;
	struct datadir dir;
	struct checking checking;
};

static void write_rows(const struct place *place, const char *sql)
{
	sqlite3 *other = NULL;

	assert_int_equal(sqlite3_open(place->scratch->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static void begin(void **state, struct place *place)
{
	struct err err = ERR_INIT;

	*place = (struct place){.scratch = scratch_of(state)};
	place->dir.path = place->scratch->dir;
	place->dir.fd = open(place->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->dir.fd >= 0);
	assert_ok(file_make_dirs(place->dir.fd, "repos", 0700, &err));
	owned(free) char *path = datadir_path(&place->dir, FOLDER);
	assert_ok(git_init(path, &err));
	write_rows(place,
		   "INSERT INTO accounts (id, hex, type, name, created_ms)"
		   " VALUES (1, 'a', 'user', 'me', 1);"
		   "INSERT INTO repos (id, hex, type, owner_id, name, is_private, creator_id,"
		   " created_ms, modified_ms) VALUES (5, '" HEX
		   "', 'space', 1, 'demo', 0, 1, 1, 1);"
		   "INSERT INTO spaces (repo_id, hex, full_name, slug, flavor, stage)"
		   " VALUES (5, '" HEX "', 'me/demo', 'me-demo', 'cpu-basic', 'RUNNING')");
	checking_begin(&place->checking);
	place->checking.checkup.dir = &place->dir;
	place->checking.checkup.store = place->scratch->store;
}

static void end(struct place *place)
{
	checking_end(&place->checking);
	close(place->dir.fd);
}

static const char *look(struct place *place)
{
	struct err err = ERR_INIT;

	assert_int_equal(checkup_repositories(&place->checking.checkup, &err), 0);
	return checking_text(&place->checking);
}

static void make_file(const struct place *place, const char *path, const char *text)
{
	owned(close) int fd = openat(place->dir.fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void make_old(const struct place *place, const char *path)
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	assert_int_equal(utimensat(place->dir.fd, path, times, 0), 0);
}

static void a_whole_repository_is_not_mentioned(void **state)
{
	struct place place;

	begin(state, &place);
	assert_string_equal(look(&place), "");
	end(&place);
}

static void one_without_a_row_goes_to_lost_and_found(void **state)
{
	struct place place;

	begin(state, &place);
	write_rows(&place, "DELETE FROM spaces; DELETE FROM repos");
	assert_string_equal(look(&place),
			    "warning: " FOLDER ": no row names it; it belongs to lost+found/;"
			    " check --repair mends it\n");
	place.checking.checkup.repairs = true;
	assert_non_null(strstr(look(&place), "mended: " FOLDER));
	assert_true(file_exists(place.dir.fd, "lost+found/" HEX ".git/HEAD"));
	assert_false(file_exists(place.dir.fd, FOLDER));
	end(&place);
}

static void a_row_without_a_folder_is_named(void **state)
{
	struct place place;
	struct err err = ERR_INIT;

	begin(state, &place);
	assert_ok(file_remove_tree(place.dir.fd, FOLDER, &err));
	assert_non_null(
		strstr(look(&place), "problem: " FOLDER ": a row names it and it is not there"));
	end(&place);
}

static void damage_that_git_finds_is_told(void **state)
{
	struct place place;

	begin(state, &place);
	make_file(&place, FOLDER "/refs/heads/main", "not an id\n");
	assert_non_null(strstr(look(&place), "problem: " FOLDER ": git fsck: error: "));
	end(&place);
}

static void old_locks_are_removed_and_young_ones_left(void **state)
{
	struct place place;

	begin(state, &place);
	place.checking.checkup.repairs = true;
	place.checking.checkup.hub_runs = true;
	make_file(&place, FOLDER "/refs/heads/main.lock", "");
	make_file(&place, FOLDER "/packed-refs.lock", "");
	make_old(&place, FOLDER "/packed-refs.lock");
	assert_string_equal(look(&place), "mended: " FOLDER "/packed-refs.lock:"
					  " a lock that nobody holds any more\n");
	assert_true(file_exists(place.dir.fd, FOLDER "/refs/heads/main.lock"));
	assert_false(file_exists(place.dir.fd, FOLDER "/packed-refs.lock"));
	end(&place);
}

static void uploads_are_left_alone_while_a_hub_runs(void **state)
{
	struct place place;

	begin(state, &place);
	place.checking.checkup.repairs = true;
	place.checking.checkup.hub_runs = true;
	make_file(&place, FOLDER "/objects/tmp_obj_1", "");
	assert_string_equal(look(&place), "");
	place.checking.checkup.hub_runs = false;
	assert_non_null(strstr(look(&place), "mended: " FOLDER "/objects/tmp_obj_1"));
	assert_false(file_exists(place.dir.fd, FOLDER "/objects/tmp_obj_1"));
	end(&place);
}

static void a_commit_that_a_space_waits_for_is_missed(void **state)
{
	struct place place;

	begin(state, &place);
	write_rows(&place, "UPDATE spaces SET \"commit\" ="
			   " '1111111111111111111111111111111111111111'");
	assert_non_null(strstr(look(&place), "its Space is to build commit 1111111111"));
	end(&place);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_whole_repository_is_not_mentioned),
		CASE(one_without_a_row_goes_to_lost_and_found),
		CASE(a_row_without_a_folder_is_named),
		CASE(damage_that_git_finds_is_told),
		CASE(old_locks_are_removed_and_young_ones_left),
		CASE(uploads_are_left_alone_while_a_hub_runs),
		CASE(a_commit_that_a_space_waits_for_is_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
