#include "temp.h"

#include <sys/stat.h>
#include <time.h>

#include "repo/ref.h"

struct ids {
	git_oid first;
	git_oid second; /* its child, where main is now */
};

/* Make a second commit, for a branch to move to. */
static struct ids make_ids(struct temp *temp)
{
	owned(change_end) struct change *change = temp_begin(temp);
	struct ids ids;
	char commit[GIT_HEX];

	temp_put(change, "new", "x");
	assert_true(temp_commit(change, commit));
	assert_int_equal(git_oid_fromstr(&ids.first, temp->first), 0);
	assert_int_equal(git_oid_fromstr(&ids.second, commit), 0);
	return ids;
}

static void expect_head(struct temp *temp, const git_oid *id)
{
	char head[GIT_HEX], wanted[GIT_HEX];
	struct err err = ERR_INIT;

	temp_ok(git_resolve(temp->git, "main", head, &err), &err);
	assert_string_equal(head, git_oid_tostr(wanted, sizeof(wanted), id));
}

static void moves_only_from_where_the_branch_is(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	struct err err = ERR_INIT;

	assert_int_equal(ref_move(temp->git, "refs/heads/main", &ids.first, &ids.first, &err), 0);
	assert_int_equal(ref_move(temp->git, "refs/heads/main", NULL, &ids.first, &err), 0);
	expect_head(temp, &ids.second);
	assert_int_equal(ref_move(temp->git, "refs/heads/main", &ids.second, &ids.first, &err), 1);
	expect_head(temp, &ids.first);
	assert_int_equal(ref_move(temp->git, "refs/heads/new", &ids.second, &ids.first, &err), 0);
	assert_int_equal(ref_move(temp->git, "refs/heads/new", NULL, &ids.second, &err), 1);
	temp_fsck(temp);
}

static void moves_packed_branches(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(str_done) struct str out = str_new(100);
	struct err err = ERR_INIT;

	temp_git(temp, (const char *[]){"branch", "a/b", "main", NULL}, &out);
	temp_git(temp, (const char *[]){"pack-refs", "--all", "--prune", NULL}, &out);
	assert_int_equal(ref_move(temp->git, "refs/heads/a/b", &ids.second, &ids.first, &err), 1);
	assert_int_equal(ref_move(temp->git, "refs/heads/main", &ids.second, &ids.first, &err), 1);
	temp_git(temp, (const char *[]){"rev-parse", "a/b", NULL}, &out);
	assert_string_equal(out.data, temp->first);
	expect_head(temp, &ids.first);
}

static void expect_ref(struct temp *temp, const char *name, bool exists)
{
	const char *const argv[] = {"git",      "-C",      temp->path, "show-ref",
				    "--verify", "--quiet", name,       NULL};
	owned(str_done) struct str output = str_new(1000);
	struct err err = ERR_INIT;

	assert_int_equal(proc_run(argv, NULL, &output, &err), exists ? 0 : -1);
}

static void expect_deleted(struct temp *temp, const char *name)
{
	struct err err = ERR_INIT;

	assert_int_equal(ref_delete(temp->git, name, &err), 1);
	expect_ref(temp, name, false);
	assert_int_equal(ref_delete(temp->git, name, &err), 0);
}

/* Loose, packed, and packed with a newer loose one over it. */
static void deletes_a_reference_wherever_it_is(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(str_done) struct str out = str_new(100);
	struct err err = ERR_INIT;

	temp_git(temp, (const char *[]){"branch", "packed/a", "main", NULL}, &out);
	temp_git(temp, (const char *[]){"branch", "packed/b", "main", NULL}, &out);
	temp_git(temp,
		 (const char *[]){"-c", "user.name=t", "-c", "user.email=t@t", "tag", "-a", "-m",
				  "x", "v1", "main", NULL},
		 &out);
	temp_git(temp, (const char *[]){"pack-refs", "--all", "--prune", NULL}, &out);
	temp_git(temp, (const char *[]){"branch", "loose/c", "main", NULL}, &out);
	assert_int_equal(ref_move(temp->git, "refs/heads/packed/b", &ids.second, &ids.first, &err),
			 1);
	expect_deleted(temp, "refs/heads/packed/a");
	expect_deleted(temp, "refs/heads/packed/b");
	expect_deleted(temp, "refs/tags/v1");
	expect_deleted(temp, "refs/heads/loose/c");
	expect_ref(temp, "refs/heads/main", true);
	/* Nothing stays that would be in the way of a branch of the folder's name. */
	assert_int_equal(ref_move(temp->git, "refs/heads/packed", NULL, &ids.first, &err), 1);
	assert_int_equal(ref_move(temp->git, "refs/heads/loose", NULL, &ids.first, &err), 1);
}

static void expect_in_the_way(struct temp *temp, const char *name, const git_oid *id)
{
	struct err err = ERR_INIT;

	assert_int_equal(ref_move(temp->git, name, NULL, id, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
}

static void a_branch_is_no_folder(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(str_done) struct str out = str_new(100);
	struct err err = ERR_INIT;

	assert_int_equal(ref_move(temp->git, "refs/heads/a/b", NULL, &ids.first, &err), 1);
	for (int packed = 0; packed < 2; packed++) {
		expect_in_the_way(temp, "refs/heads/a", &ids.first);
		expect_in_the_way(temp, "refs/heads/a/b/c/d", &ids.first);
		temp_git(temp, (const char *[]){"pack-refs", "--all", "--prune", NULL}, &out);
	}
	/* Of tags another. */
	assert_int_equal(ref_move(temp->git, "refs/tags/a", NULL, &ids.first, &err), 1);
}

/* A lock of git's, which our check does not look for: a branch b/c is about to be made. */
static void a_file_in_the_way_is_no_failure_of_ours(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(free) char *folder = mem_format("%s/refs/heads/b", temp->path);
	owned(free) char *below = mem_format("%s/c.lock", folder);
	struct err err = ERR_INIT;

	temp_ok(file_make_dirs(AT_FDCWD, folder, 0700, &err), &err);
	temp_ok(file_write(AT_FDCWD, below, "", 0, 0600, &err), &err);
	expect_in_the_way(temp, "refs/heads/b", &ids.first);
}

/* git may leave folders behind that are empty. */
static void empty_folders_are_in_nobodys_way(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(free) char *folder = mem_format("%s/refs/heads/a/b/c", temp->path);
	struct err err = ERR_INIT;

	temp_ok(file_make_dirs(AT_FDCWD, folder, 0700, &err), &err);
	assert_int_equal(ref_move(temp->git, "refs/heads/a", NULL, &ids.first, &err), 1);
	expect_ref(temp, "refs/heads/a", true);
}

/* A lock file as git makes it, of that age. */
static char *make_lock(struct temp *temp, time_t age_s)
{
	char *path = mem_format("%s/refs/heads/main.lock", temp->path);
	const struct timespec times[2] = {{.tv_sec = time(NULL) - age_s},
					  {.tv_sec = time(NULL) - age_s}};
	struct err err = ERR_INIT;

	temp_ok(file_write(AT_FDCWD, path, "", 0, 0600, &err), &err);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	return path;
}

static void leaves_the_lock_of_git_alone(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(free) char *path = make_lock(temp, 0);
	struct err err = ERR_INIT;

	assert_int_equal(ref_move(temp->git, "refs/heads/main", &ids.second, &ids.first, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_true(file_exists(AT_FDCWD, path));
	expect_head(temp, &ids.second);
}

static void removes_a_lock_that_a_crash_has_left(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(free) char *path = make_lock(temp, 3600);
	struct err err = ERR_INIT;

	assert_int_equal(ref_move(temp->git, "refs/heads/main", &ids.second, &ids.first, &err), 1);
	assert_false(file_exists(AT_FDCWD, path));
	expect_head(temp, &ids.first);
}

/* As a crash between link and rename leaves it: no age needed. */
static void takes_over_the_lock_of_its_own_crash(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(free) char *path = make_lock(temp, 0);
	owned(free) char *own = mem_format("%s/espace-ref", temp->path);
	struct err err = ERR_INIT;

	assert_int_equal(link(path, own), 0);
	assert_int_equal(ref_move(temp->git, "refs/heads/main", &ids.second, &ids.first, &err), 1);
	expect_head(temp, &ids.first);
	assert_false(file_exists(AT_FDCWD, path));
	assert_false(file_exists(AT_FDCWD, own));
}

/* The next change is one of another branch, or a deletion. */
static void clears_the_locks_of_a_crash_elsewhere(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(free) char *lock = make_lock(temp, 0);
	owned(free) char *own = mem_format("%s/espace-ref", temp->path);
	owned(free) char *note = mem_format("%s/espace-lock", temp->path);
	owned(free) char *packed = mem_format("%s/packed-refs.lock", temp->path);
	struct err err = ERR_INIT;

	assert_int_equal(link(lock, own), 0);
	assert_int_equal(link(lock, packed), 0);
	assert_int_equal(symlink("refs/heads/main.lock", note), 0);
	assert_int_equal(ref_move(temp->git, "refs/heads/other", NULL, &ids.first, &err), 1);
	assert_false(file_exists(AT_FDCWD, lock));
	assert_false(file_exists(AT_FDCWD, packed));
	assert_false(file_exists(AT_FDCWD, own));
	assert_int_equal(ref_delete(temp->git, "refs/heads/other", &err), 1);
}

/* What the note names is only cleared if it is ours. */
static void a_note_of_a_crash_harms_no_lock_of_git(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(free) char *lock = make_lock(temp, 0);
	owned(free) char *note = mem_format("%s/espace-lock", temp->path);
	struct err err = ERR_INIT;

	assert_int_equal(symlink("refs/heads/main.lock", note), 0);
	assert_int_equal(ref_move(temp->git, "refs/heads/other", NULL, &ids.first, &err), 1);
	assert_true(file_exists(AT_FDCWD, lock));
}

static void waits_for_git_to_pack(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(free) char *packed = mem_format("%s/packed-refs.lock", temp->path);
	struct err err = ERR_INIT;

	assert_int_equal(ref_move(temp->git, "refs/heads/other", NULL, &ids.first, &err), 1);
	temp_ok(file_write(AT_FDCWD, packed, "", 0, 0600, &err), &err);
	assert_int_equal(ref_delete(temp->git, "refs/heads/other", &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	expect_ref(temp, "refs/heads/other", true);
	assert_int_equal(unlink(packed), 0);
	expect_deleted(temp, "refs/heads/other");
}

/* And between rename and the end: the file is the branch itself, and must not be written into. */
static void spares_the_branch_after_its_own_crash(void **state)
{
	struct temp *temp = *state;
	struct ids ids = make_ids(temp);
	owned(free) char *branch = mem_format("%s/refs/heads/main", temp->path);
	owned(free) char *own = mem_format("%s/espace-ref", temp->path);
	struct err err = ERR_INIT;

	assert_int_equal(link(branch, own), 0);
	assert_int_equal(ref_move(temp->git, "refs/heads/main", &ids.first, &ids.first, &err), 0);
	expect_head(temp, &ids.second);
	assert_int_equal(ref_move(temp->git, "refs/heads/main", &ids.second, &ids.first, &err), 1);
	expect_head(temp, &ids.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_TEST(moves_only_from_where_the_branch_is),
		TEMP_TEST(moves_packed_branches),
		TEMP_TEST(deletes_a_reference_wherever_it_is),
		TEMP_TEST(a_branch_is_no_folder),
		TEMP_TEST(a_file_in_the_way_is_no_failure_of_ours),
		TEMP_TEST(empty_folders_are_in_nobodys_way),
		TEMP_TEST(clears_the_locks_of_a_crash_elsewhere),
		TEMP_TEST(a_note_of_a_crash_harms_no_lock_of_git),
		TEMP_TEST(waits_for_git_to_pack),
		TEMP_TEST(leaves_the_lock_of_git_alone),
		TEMP_TEST(removes_a_lock_that_a_crash_has_left),
		TEMP_TEST(takes_over_the_lock_of_its_own_crash),
		TEMP_TEST(spares_the_branch_after_its_own_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
