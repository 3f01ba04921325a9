#include "temp.h"

static void expect_revision(struct temp *temp, const char *rev, const char *commit)
{
	char found[GIT_HEX];
	struct err err = ERR_INIT;

	temp_ok(git_resolve(temp->git, rev, found, &err), &err);
	assert_string_equal(found, commit);
}

static void expect_no_revision(struct temp *temp, const char *rev)
{
	char found[GIT_HEX];
	struct err err = ERR_INIT;

	if (git_resolve(temp->git, rev, found, &err) == 0)
		fail_msg("%s is %s", rev, found);
	assert_int_equal(err.kind, ERR_NO_REVISION);
}

static void resolves_what_clients_call_a_revision(void **state)
{
	struct temp *temp = *state;
	owned(str_done) struct str ignored = str_new(1000);
	char cut[GIT_HEX];

	temp_git(temp, (const char *[]){"tag", "v1", "main", NULL}, &ignored);
	temp_git(temp,
		 (const char *[]){"-c", "user.name=t", "-c", "user.email=t@t", "tag", "-a", "-m",
				  "x", "v2", "main", NULL},
		 &ignored);
	temp_git(temp, (const char *[]){"update-ref", "refs/pr/1", "main", NULL}, &ignored);
	temp_git(temp, (const char *[]){"branch", "a/b", "main", NULL}, &ignored);
	static const char *const names[] = {
		"", "main", "HEAD", "v1", "v2", "refs/heads/main", "a/b", "refs/pr/1"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect_revision(temp, names[i], temp->first);
	expect_revision(temp, temp->first, temp->first);
	snprintf(cut, sizeof(cut), "%.5s", temp->first);
	expect_revision(temp, cut, temp->first);
}

static void expect_begin(struct temp *temp, const char *rev, const char *path, const char *rest)
{
	char found[GIT_HEX];
	struct err err = ERR_INIT;

	temp_ok(git_resolve_begin(temp->git, rev, &path, found, &err), &err);
	assert_string_equal(found, temp->first);
	assert_string_equal(path, rest);
}

static void finds_names_that_were_cut_at_a_slash(void **state)
{
	struct temp *temp = *state;
	owned(str_done) struct str ignored = str_new(1000);
	char found[GIT_HEX];
	char cut[GIT_HEX];
	const char *path = "x/README.md";
	struct err err = ERR_INIT;

	snprintf(cut, sizeof(cut), "%.6s", temp->first);
	temp_git(temp, (const char *[]){"branch", "a/b", "main", NULL}, &ignored);
	temp_git(temp, (const char *[]){"tag", "a/b/c", "main", NULL}, &ignored);
	temp_git(temp, (const char *[]){"tag", "main/dir", "main", NULL}, &ignored);
	temp_git(temp, (const char *[]){"update-ref", "refs/pr/1", "main", NULL}, &ignored);
	expect_begin(temp, "a", "b", "");
	expect_begin(temp, "a", "b/", "");
	expect_begin(temp, "a", "b/dir/one.txt", "dir/one.txt");
	expect_begin(temp, "a", "b/c/dir", "dir");
	expect_begin(temp, "refs", "pr/1/dir", "dir");
	expect_begin(temp, "refs", "heads/a/b/dir", "dir");
	expect_begin(temp, cut, "dir", "dir");
	/* Python encodes slashes, so it means main. */
	expect_begin(temp, "main", "dir/one.txt", "dir/one.txt");
	assert_int_equal(git_resolve_begin(temp->git, "a", &path, found, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REVISION);
	assert_string_equal(path, "x/README.md");
}

static void refuses_what_is_no_revision(void **state)
{
	struct temp *temp = *state;
	char cut[GIT_HEX];
	struct git_entry entry;
	struct err err = ERR_INIT;
	static const char *const names[] = {
		"nope",         "refs/heads/nope",
		"main^",        "main:dir",
		"HEAD~1",       "../main",
		"a b",          "@{u}",
		"refs/../HEAD", "config",
		"main\n",       "-x",
		"/main",        "0000000000000000000000000000000000000000",
		"ffffffffff"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect_no_revision(temp, names[i]);
	snprintf(cut, sizeof(cut), "%.4s", temp->first);
	expect_no_revision(temp, cut);
	/* A blob has an id, but is no commit. */
	temp_ok(git_entry(temp->git, temp->first, "README.md", &entry, &err), &err);
	expect_no_revision(temp, entry.oid);
}

static void has_no_revision_before_the_first_commit(void **state)
{
	expect_no_revision(*state, "main");
	expect_no_revision(*state, "HEAD");
}

static void finds_entries(void **state)
{
	struct temp *temp = *state;
	struct git_entry entry;
	struct err err = ERR_INIT;

	temp_ok(git_entry(temp->git, temp->first, "dir/two.txt", &entry, &err), &err);
	assert_string_equal(entry.path, "dir/two.txt");
	assert_false(entry.is_dir);
	assert_int_equal(entry.size, 2);
	assert_string_equal(entry.oid, "8fdd954df9831dfd29ceec0d74829b02f3f5d8c3");
	temp_ok(git_entry(temp->git, temp->first, "dir", &entry, &err), &err);
	assert_true(entry.is_dir);
	assert_int_equal(entry.size, 0);
	static const char *const missing[] = {
		"",     "nope", "dir/nope",   "README.md/x", "dir//one.txt",
		"/dir", "dir/", "./README.md"};
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		assert_int_equal(git_entry(temp->git, temp->first, missing[i], &entry, &err), -1);
		assert_int_equal(err.kind, ERR_NO_ENTRY);
	}
	assert_int_equal(git_entry(temp->git, "main", "README.md", &entry, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REVISION);
}

static void expect_walk(struct temp *temp, const char *path, bool recursive, const char *expected)
{
	owned(str_done) struct str paths = str_new(1000);
	struct err err = ERR_INIT;

	temp_ok(git_walk(temp->git, temp->first, path, recursive, temp_list, &paths, &err), &err);
	assert_string_equal(paths.data, expected);
}

static bool stop_at_second(void *arg, const struct git_entry *entry)
{
	return ++*(int *)arg < 2;
}

static void walks_folders(void **state)
{
	struct temp *temp = *state;
	struct err err = ERR_INIT;
	int seen = 0;

	expect_walk(temp, "", false, "README.md dir/ ");
	expect_walk(temp, "", true, "README.md dir/ dir/one.txt dir/two.txt ");
	expect_walk(temp, "dir", true, "dir/one.txt dir/two.txt ");
	temp_ok(git_walk(temp->git, temp->first, "", true, stop_at_second, &seen, &err), &err);
	assert_int_equal(seen, 2);
	assert_int_equal(
		git_walk(temp->git, temp->first, "README.md", true, stop_at_second, &seen, &err),
		-1);
	assert_int_equal(err.kind, ERR_NO_ENTRY);
	assert_int_equal(git_walk(temp->git, temp->first, "x", true, stop_at_second, &seen, &err),
			 -1);
	assert_int_equal(err.kind, ERR_NO_ENTRY);
}

static void leaves_submodules_out(void **state)
{
	struct temp *temp = *state;
	owned(str_done) struct str out = str_new(1000);
	owned(free) char *tree = NULL;
	owned(free) char *line = mem_format("160000 commit %s\tsub\n", temp->first);
	const char *const argv[] = {"git", "-C", temp->path, "mktree", "--missing", NULL};
	struct git_entry entry;
	struct err err = ERR_INIT;
	int seen = 0;

	temp_ok(proc_run(argv, line, &out, &err), &err);
	tree = mem_text_n(out.data, 40);
	str_clear(&out);
	temp_git(temp,
		 (const char *[]){"-c", "user.name=t", "-c", "user.email=t@t", "commit-tree", tree,
				  "-m", "x", NULL},
		 &out);
	temp_ok(git_walk(temp->git, out.data, "", true, stop_at_second, &seen, &err), &err);
	assert_int_equal(seen, 0);
	assert_int_equal(git_entry(temp->git, out.data, "sub", &entry, &err), -1);
	assert_int_equal(err.kind, ERR_NO_ENTRY);
}

static void reads_blobs(void **state)
{
	struct temp *temp = *state;
	owned(git_blob_release) struct git_blob *blob = NULL;
	struct err err = ERR_INIT;

	temp_text(temp, "README.md", "hello");
	assert_int_equal(git_blob_open(temp->git, temp->first, &blob, &err), -1);
	assert_int_equal(err.kind, ERR_NO_ENTRY);
	assert_int_equal(git_blob_open(temp->git, "xyz", &blob, &err), -1);
	assert_int_equal(err.kind, ERR_NO_ENTRY);
}

static void tells_about_commits(void **state)
{
	struct temp *temp = *state;
	owned(git_commit_info_done) struct git_commit_info info = {0};
	owned(change_end) struct change *change = temp_begin(temp);
	const struct change_meta meta = {.title = "A title",
					 .description = "and\n\nmore\n",
					 .author = "some<>\none",
					 .email = "x@example.org"};
	char commit[GIT_HEX];
	struct err err = ERR_INIT;
	bool moved;

	temp_put(change, "new", "x");
	temp_ok(change_commit(change, &meta, commit, &moved, &err), &err);
	temp_ok(git_commit_info(temp->git, commit, &info, &err), &err);
	assert_string_equal(info.oid, commit);
	assert_string_equal(info.parent, temp->first);
	assert_string_equal(info.title, "A title");
	assert_string_equal(info.message, "and\n\nmore\n");
	assert_string_equal(info.author, "someone");
	assert_true(info.time_s > 1700000000);
	git_commit_info_done(&info);
	temp_ok(git_commit_info(temp->git, temp->first, &info, &err), &err);
	assert_string_equal(info.parent, "");
	assert_string_equal(info.message, "");
}

static void opens_only_repositories(void **state)
{
	struct temp *temp = *state;
	owned(git_close) struct git *git = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(git_open("/nowhere/at.git", &git, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REPO);
	assert_null(strstr(err.text, "nowhere"));
	assert_int_equal(git_init(temp->path, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_TEST(resolves_what_clients_call_a_revision),
		TEMP_TEST(finds_names_that_were_cut_at_a_slash),
		TEMP_TEST(refuses_what_is_no_revision),
		TEMP_EMPTY(has_no_revision_before_the_first_commit),
		TEMP_TEST(finds_entries),
		TEMP_TEST(walks_folders),
		TEMP_TEST(leaves_submodules_out),
		TEMP_TEST(reads_blobs),
		TEMP_TEST(tells_about_commits),
		TEMP_TEST(opens_only_repositories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
