#include "temp.h"

#include <signal.h>
#include <sys/wait.h>

#include "repo/refs.h"

static void add_name(void *arg, const struct refs_entry *entry)
{
	str_addf(arg, "%s=%.7s ", entry->name, entry->commit);
}

static void expect_list(struct temp *temp, enum refs_kind kind, const char *expected)
{
	owned(str_done) struct str list = str_new(1000);
	struct err err = ERR_INIT;

	temp_ok(refs_each(temp->git, kind, add_name, &list, &err), &err);
	assert_string_equal(list.data, expected);
}

static void expect_refused(int rc, const struct err *err, enum err_kind kind)
{
	assert_int_equal(rc, -1);
	assert_int_equal(err->kind, kind);
}

static void lists_each_kind_by_name(void **state)
{
	struct temp *temp = *state;
	owned(str_done) struct str out = str_new(100);
	owned(free) char *both = mem_format("a/b=%.7s main=%.7s ", temp->first, temp->first);
	owned(free) char *tags = mem_format("v1=%.7s v2=%.7s ", temp->first, temp->first);
	owned(free) char *pull = mem_format("1=%.7s ", temp->first);
	struct err err = ERR_INIT;
	size_t count;

	temp_ok(refs_make_branch(temp->git, "a/b", temp->first, false, &err), &err);
	temp_ok(refs_make_tag(temp->git, "v1", temp->first, NULL, &err), &err);
	temp_ok(refs_make_tag(temp->git, "v2", temp->first, &temp_meta, &err), &err);
	expect_list(temp, REFS_CONVERT, "");
	temp_git(temp, (const char *[]){"update-ref", "refs/pr/1", "main", NULL}, &out);
	expect_list(temp, REFS_BRANCH, both);
	/* The commit, not the tag's own object. */
	expect_list(temp, REFS_TAG, tags);
	expect_list(temp, REFS_PULL, pull);
	temp_git(temp, (const char *[]){"pack-refs", "--all", NULL}, &out);
	expect_list(temp, REFS_TAG, tags);
	temp_ok(refs_count(temp->git, REFS_BRANCH, &count, &err), &err);
	assert_int_equal(count, 2);
	temp_fsck(temp);
}

static void leaves_out_what_is_no_commit(void **state)
{
	struct temp *temp = *state;
	owned(str_done) struct str out = str_new(100);

	temp_git(temp, (const char *[]){"tag", "blob", "main:README.md", NULL}, &out);
	expect_list(temp, REFS_TAG, "");
}

static void takes_the_names_that_git_takes(void **state)
{
	struct err err = ERR_INIT;
	static const char *const good[] = {"a",   "a/b",      "v1.0", "a.b",
					   "ref", "\xc3\xa9", "a@b",  "0a1b2c"};
	static const char *const bad[] = {
		"",          "/a",           "a/",
		"a//b",      "a..b",         ".a",
		"a/.b",      "a.",           "a.lock",
		"a.lock/b",  "a b",          "a~",
		"a^",        "a:b",          "a?",
		"a*",        "a[b",          "a\\b",
		"a@{b",      "a\tb",         "-a",
		"HEAD",      "\x7f",         "refs/a",
		"refs/pr/1", "refs/heads/x", "0123456789012345678901234567890123456789"};
	char longest[REFS_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		temp_ok(refs_check_name(good[i], &err), &err);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (refs_check_name(bad[i], &err) == 0)
			fail_msg("took \"%s\"", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	memset(longest, 'x', sizeof(longest));
	longest[REFS_NAME_MAX] = '\0';
	temp_ok(refs_check_name(longest, &err), &err);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[REFS_NAME_MAX + 1] = '\0';
	expect_refused(refs_check_name(longest, &err), &err, ERR_INVALID);
}

static void makes_a_branch_once(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	char second[GIT_HEX], found[GIT_HEX];
	struct err err = ERR_INIT;

	temp_put(change, "new", "x");
	assert_true(temp_commit(change, second));
	temp_ok(refs_make_branch(temp->git, "b", temp->first, false, &err), &err);
	expect_refused(refs_make_branch(temp->git, "b", second, false, &err), &err, ERR_EXISTS);
	temp_ok(git_resolve(temp->git, "b", found, &err), &err);
	assert_string_equal(found, temp->first);
	temp_ok(refs_make_branch(temp->git, "b", second, true, &err), &err);
	temp_ok(git_resolve(temp->git, "b", found, &err), &err);
	assert_string_equal(found, second);
	temp_ok(refs_make_branch(temp->git, "c", second, true, &err), &err);
	expect_refused(refs_make_branch(temp->git, "d", "nothing", false, &err), &err,
		       ERR_NO_REVISION);
}

static void deletes_all_but_main(void **state)
{
	struct temp *temp = *state;
	struct err err = ERR_INIT;

	temp_ok(refs_make_branch(temp->git, "b", temp->first, false, &err), &err);
	temp_ok(refs_make_tag(temp->git, "t", temp->first, NULL, &err), &err);
	expect_refused(refs_delete_branch(temp->git, "main", &err), &err, ERR_DENIED);
	expect_refused(refs_delete_branch(temp->git, "t", &err), &err, ERR_NO_REVISION);
	expect_refused(refs_delete_tag(temp->git, "b", &err), &err, ERR_NO_REVISION);
	expect_refused(refs_delete_branch(temp->git, "../tags/t", &err), &err, ERR_NO_REVISION);
	temp_ok(refs_delete_branch(temp->git, "b", &err), &err);
	temp_ok(refs_delete_tag(temp->git, "t", &err), &err);
	expect_list(temp, REFS_TAG, "");
}

static void an_annotated_tag_says_who_and_why(void **state)
{
	struct temp *temp = *state;
	owned(str_done) struct str out = str_new(1000);
	struct err err = ERR_INIT;

	temp_ok(refs_make_tag(temp->git, "v1", temp->first, &temp_meta, &err), &err);
	temp_git(temp,
		 (const char *[]){"for-each-ref",
				  "--format=%(objecttype) %(taggername) %(contents:subject)",
				  "refs/tags", NULL},
		 &out);
	assert_string_equal(out.data, "tag me Change");
	expect_refused(refs_make_tag(temp->git, "v1", temp->first, NULL, &err), &err, ERR_EXISTS);
}

static void squashing_keeps_the_files(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	owned(str_done) struct str out = str_new(1000);
	char second[GIT_HEX], squashed[GIT_HEX];
	struct err err = ERR_INIT;

	temp_put(change, "new", "x");
	assert_true(temp_commit(change, second));
	temp_ok(refs_squash(temp->git, "main", &temp_meta, squashed, &err), &err);
	temp_paths(temp, "README.md dir/ dir/one.txt dir/two.txt new ");
	temp_git(temp, (const char *[]){"rev-list", "--count", "main", NULL}, &out);
	assert_string_equal(out.data, "1");
	temp_git(temp, (const char *[]){"rev-parse", "main", NULL}, &out);
	assert_string_equal(out.data + 1, squashed);
	/* What it was is still there. */
	temp_ok(git_resolve(temp->git, second, squashed, &err), &err);
	expect_refused(refs_squash(temp->git, second, &temp_meta, squashed, &err), &err,
		       ERR_NO_REVISION);
}

static void an_empty_commit_has_no_files(void **state)
{
	struct temp *temp = *state;
	owned(str_done) struct str out = str_new(1000);
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	temp_ok(refs_empty_commit(temp->git, &temp_meta, commit, &err), &err);
	temp_ok(refs_make_branch(temp->git, "empty", commit, false, &err), &err);
	temp_git(temp, (const char *[]){"ls-tree", "-r", "empty", NULL}, &out);
	assert_string_equal(out.data, "");
	temp_fsck(temp);
}

/* Change n of a series: even ones make a branch, odd ones delete the one before. */
static int change_number(struct git *git, const char *commit, int n, struct err *err)
{
	owned(free) char *name = mem_format("series/%d", n / 2 - n % 2);

	return n % 2 ? refs_delete_branch(git, name, err)
		     : refs_make_branch(git, name, commit, false, err);
}

/* A process that makes changes from `first` on and tells of each when it is done. */
static pid_t start_series(struct temp *temp, int first, int *told)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct git *git;
		struct err err = ERR_INIT;

		if (git_open(temp->path, &git, &err) < 0)
			_exit(1);
		for (int n = first;; n++)
			if (change_number(git, temp->first, n, &err) < 0 ||
			    write(ends[1], ".", 1) != 1)
				_exit(1);
	}
	close(ends[1]);
	*told = ends[0];
	return pid;
}

/* Kill it as soon as it has told of `count` changes. Returns how many it has told of in the end. */
static int kill_after(pid_t pid, int told, int count)
{
	char c;
	int seen = 0, status;

	while (seen < count && read(told, &c, 1) == 1)
		seen++;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(told, &c, 1) == 1)
		seen++;
	close(told);
	return seen;
}

static bool exists(struct temp *temp, int number)
{
	owned(free) char *name = mem_format("series/%d", number);
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	return git_resolve(temp->git, name, commit, &err) == 0;
}

static void what_was_told_survives_a_kill(void **state)
{
	struct temp *temp = *state;
	owned(str_done) struct str out = str_new(1000);
	struct err err = ERR_INIT;
	int n = 0;

	temp_ok(refs_make_branch(temp->git, "series/-1", temp->first, false, &err), &err);
	for (int round = 0; round < 30; round++) {
		int told;
		pid_t pid = start_series(temp, n, &told);

		n += kill_after(pid, told, 1 + round % 5);
		/* The next change, which may have been done too, is about none of these. */
		assert_true(exists(temp, (n - 1) / 2));
		assert_true(n % 2 || !exists(temp, (n - 1) / 2 - 1));
		/* Whatever it has left is in nobody's way, not even for a moment. */
		temp_ok(refs_make_branch(temp->git, "other", temp->first, true, &err), &err);
		temp_ok(refs_delete_branch(temp->git, "other", &err), &err);
		/* The change in flight may be done or not: do it where it is not. */
		if (change_number(temp->git, temp->first, n, &err) < 0)
			assert_int_equal(err.kind, n % 2 ? ERR_NO_REVISION : ERR_EXISTS);
		n++;
		if (round % 3 == 0)
			temp_git(temp, (const char *[]){"pack-refs", "--all", NULL}, &out);
	}
	temp_fsck(temp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_TEST(lists_each_kind_by_name),
		TEMP_TEST(leaves_out_what_is_no_commit),
		cmocka_unit_test(takes_the_names_that_git_takes),
		TEMP_TEST(makes_a_branch_once),
		TEMP_TEST(deletes_all_but_main),
		TEMP_TEST(an_annotated_tag_says_who_and_why),
		TEMP_TEST(squashing_keeps_the_files),
		TEMP_TEST(an_empty_commit_has_no_files),
		TEMP_TEST(what_was_told_survives_a_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
