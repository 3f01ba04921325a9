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

	assert_int_equal(ref_move(temp->git, "main", &ids.first, &ids.first, &err), 0);
	assert_int_equal(ref_move(temp->git, "main", NULL, &ids.first, &err), 0);
	expect_head(temp, &ids.second);
	assert_int_equal(ref_move(temp->git, "main", &ids.second, &ids.first, &err), 1);
	expect_head(temp, &ids.first);
	assert_int_equal(ref_move(temp->git, "new", &ids.second, &ids.first, &err), 0);
	assert_int_equal(ref_move(temp->git, "new", NULL, &ids.second, &err), 1);
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
	assert_int_equal(ref_move(temp->git, "a/b", &ids.second, &ids.first, &err), 1);
	assert_int_equal(ref_move(temp->git, "main", &ids.second, &ids.first, &err), 1);
	temp_git(temp, (const char *[]){"rev-parse", "a/b", NULL}, &out);
	assert_string_equal(out.data, temp->first);
	expect_head(temp, &ids.first);
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

	assert_int_equal(ref_move(temp->git, "main", &ids.second, &ids.first, &err), -1);
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

	assert_int_equal(ref_move(temp->git, "main", &ids.second, &ids.first, &err), 1);
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
	assert_int_equal(ref_move(temp->git, "main", &ids.second, &ids.first, &err), 1);
	expect_head(temp, &ids.first);
	assert_false(file_exists(AT_FDCWD, path));
	assert_false(file_exists(AT_FDCWD, own));
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
	assert_int_equal(ref_move(temp->git, "main", &ids.first, &ids.first, &err), 0);
	expect_head(temp, &ids.second);
	assert_int_equal(ref_move(temp->git, "main", &ids.second, &ids.first, &err), 1);
	expect_head(temp, &ids.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_TEST(moves_only_from_where_the_branch_is),
		TEMP_TEST(moves_packed_branches),
		TEMP_TEST(leaves_the_lock_of_git_alone),
		TEMP_TEST(removes_a_lock_that_a_crash_has_left),
		TEMP_TEST(takes_over_the_lock_of_its_own_crash),
		TEMP_TEST(spares_the_branch_after_its_own_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
