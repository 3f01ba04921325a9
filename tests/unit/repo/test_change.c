#include "temp.h"

#include <dirent.h>
#include <pthread.h>

static void expect_fail(int rc, const struct err *err, enum err_kind kind)
{
	assert_int_equal(rc, -1);
	if (err->kind != kind)
		fail_msg("%s: %s", err_kind_name(err->kind), err->text);
}

static void expect_commit_fails(struct change *change, enum err_kind kind, const char *text)
{
	char commit[GIT_HEX];
	struct err err = ERR_INIT;
	bool moved;

	expect_fail(change_commit(change, &temp_meta, commit, &moved, &err), &err, kind);
	assert_non_null(strstr(err.text, text));
}

static void applies_operations_in_their_order(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	temp_put(change, "app.py", "print()");
	temp_ok(change_delete_file(change, "dir/one.txt", &err), &err);
	temp_ok(change_delete_file(change, "README.md", &err), &err);
	temp_put(change, "README.md", "again");
	temp_put(change, "a/b/c/d.txt", "deep");
	assert_int_equal(change_count(change), 5);
	assert_true(temp_commit(change, commit));
	temp_paths(temp, "README.md a/ a/b/ a/b/c/ a/b/c/d.txt app.py dir/ dir/two.txt ");
	temp_text(temp, "README.md", "again");
	temp_text(temp, "dir/two.txt", "22");
	temp_fsck(temp);
}

static void drops_folders_that_become_empty(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	temp_put(change, "x/y/z", "hello"); /* as README.md: no blob is left over */
	temp_ok(change_delete_file(change, "x/y/z", &err), &err);
	temp_ok(change_delete_file(change, "dir/one.txt", &err), &err);
	temp_ok(change_delete_file(change, "dir/two.txt", &err), &err);
	temp_ok(change_delete_file(change, "README.md", &err), &err);
	assert_true(temp_commit(change, commit));
	temp_paths(temp, "");
	temp_fsck(temp);
}

static void never_takes_a_folder_for_a_file(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *below = temp_begin(temp);
	owned(change_end) struct change *above = temp_begin(temp);
	owned(change_end) struct change *both = temp_begin(temp);

	temp_put(below, "README.md/inside", "x");
	expect_commit_fails(below, ERR_UNPROCESSED, "README.md/inside: README.md is a file");
	temp_put(above, "dir", "a file now");
	expect_commit_fails(above, ERR_UNPROCESSED, "dir: a folder has this name");
	temp_put(both, "a", "x");
	temp_put(both, "a/b", "x");
	expect_commit_fails(both, ERR_UNPROCESSED, "a/b: a is a file");
	temp_paths(temp, "README.md dir/ dir/one.txt dir/two.txt ");
}

static void replaces_files_by_folders_and_back_if_told(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	temp_ok(change_delete_file(change, "README.md", &err), &err);
	temp_put(change, "README.md/inside", "x");
	temp_ok(change_delete_folder(change, "dir", &err), &err);
	temp_put(change, "dir", "a file now");
	assert_true(temp_commit(change, commit));
	temp_paths(temp, "README.md/ README.md/inside dir ");
	temp_text(temp, "dir", "a file now");
	temp_fsck(temp);
}

/* git sorts a folder as if its name ended in a slash, between "dir." and "dir0". */
static void sorts_as_git_does(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	char commit[GIT_HEX];

	temp_put(change, "dir0", "");
	temp_put(change, "dir.txt", "");
	temp_put(change, "di", "");
	temp_put(change, "dir-x", "");
	assert_true(temp_commit(change, commit));
	temp_paths(temp, "README.md di dir-x dir.txt dir/ dir/one.txt dir/two.txt dir0 ");
	temp_fsck(temp);
}

static void deletes_folders_by_either_word(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	temp_put(change, "a/1", "");
	temp_put(change, "b/1", "");
	temp_put(change, "c/1", "");
	assert_true(temp_commit(change, commit));
	change_end(change);
	change = temp_begin(temp);
	temp_ok(change_delete_folder(change, "a/", &err), &err);
	temp_ok(change_delete_folder(change, "b", &err), &err);
	temp_ok(change_delete_file(change, "c", &err), &err);
	assert_true(temp_commit(change, commit));
	temp_paths(temp, "README.md dir/ dir/one.txt dir/two.txt ");
}

static void refuses_to_delete_what_is_not_there(void **state)
{
	struct temp *temp = *state;
	static const char *const missing[] = {"nope", "dir/nope", "README.md/x", "no/pe"};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		owned(change_end) struct change *change = temp_begin(temp);

		temp_ok(change_delete_file(change, missing[i], &err), &err);
		expect_commit_fails(change, ERR_NO_ENTRY, "A file with this name doesn't exist");
	}
	owned(change_end) struct change *change = temp_begin(temp);
	temp_ok(change_delete_folder(change, "README.md/", &err), &err);
	expect_commit_fails(change, ERR_NO_ENTRY, "README.md: A file with this name");
	temp_paths(temp, "README.md dir/ dir/one.txt dir/two.txt ");
}

static void refuses_hostile_paths(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	static const char *const paths[] = {
		"",    "/",    "/etc/passwd", "../x",         "a/../b", "a//b", "a/", ".",
		"./a", ".git", ".git/config", "a/.GIT/hooks", "a\\b",   "a\nb", "..", "\xff"};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		temp_ok(change_file_open(change, &err), &err);
		expect_fail(change_file_close(change, paths[i], &err), &err, ERR_UNPROCESSED);
		expect_fail(change_delete_file(change, paths[i], &err), &err, ERR_UNPROCESSED);
	}
	expect_fail(change_delete_folder(change, "a//", &err), &err, ERR_UNPROCESSED);
	expect_fail(change_delete_folder(change, "/", &err), &err, ERR_UNPROCESSED);
	assert_int_equal(change_count(change), 0);
}

/* Main becomes a commit by git that holds README.md's content only, under another mode and name. */
static void commit_by_git(struct temp *temp, const char *mode, const char *name)
{
	const char *const mktree[] = {"git", "-C", temp->path, "mktree", NULL};
	owned(str_done) struct str out = str_new(1000);
	struct err err = ERR_INIT;

	temp_git(temp, (const char *[]){"rev-parse", "main:README.md", NULL}, &out);
	owned(free) char *line = mem_format("%s blob %s\t%s\n", mode, out.data, name);
	str_clear(&out);
	temp_ok(proc_run(mktree, line, &out, &err), &err);
	owned(free) char *tree = mem_text_n(out.data, 40);
	str_clear(&out);
	temp_git(temp,
		 (const char *[]){"-c", "user.name=t", "-c", "user.email=t@t", "commit-tree", tree,
				  "-p", "main", "-m", "x", NULL},
		 &out);
	owned(free) char *made = mem_text(out.data);
	str_clear(&out);
	temp_git(temp, (const char *[]){"update-ref", "refs/heads/main", made, NULL}, &out);
}

/* How git lists what is left. */
static void expect_listed(struct temp *temp, const char *start)
{
	owned(str_done) struct str out = str_new(1000);

	temp_git(temp, (const char *[]){"ls-tree", "main", NULL}, &out);
	assert_true(str_starts(out.data, start));
}

static void keeps_the_executable_bit(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	char commit[GIT_HEX];

	commit_by_git(temp, "100755", "run.sh");
	temp_put(change, "run.sh", "#!/bin/sh");
	assert_true(temp_commit(change, commit));
	expect_listed(temp, "100755 blob ");
}

/* Git knows symbolic links, which only a push by git can bring. */
static void takes_a_link_for_the_file_that_it_is(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *below = temp_begin(temp);
	owned(change_end) struct change *change = temp_begin(temp);
	char commit[GIT_HEX];

	commit_by_git(temp, "120000", "link");
	temp_text(temp, "link", "hello");
	temp_put(below, "link/x", "");
	expect_commit_fails(below, ERR_UNPROCESSED, "link is a file");
	temp_put(change, "link", "a file now");
	assert_true(temp_commit(change, commit));
	expect_listed(temp, "100644 blob ");
}

static void answers_the_head_where_nothing_changes(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	temp_put(change, "README.md", "hello");
	temp_ok(change_delete_folder(change, "dir", &err), &err);
	temp_put(change, "dir/one.txt", "1");
	temp_put(change, "dir/two.txt", "22");
	assert_false(temp_commit(change, commit));
	assert_string_equal(commit, temp->first);
	change_end(change);
	change = temp_begin(temp);
	assert_false(temp_commit(change, commit)); /* no operation at all */
	assert_string_equal(commit, temp->first);
}

static void checks_the_stated_parent(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	char commit[GIT_HEX], cut[8];
	struct err err = ERR_INIT;

	static const char *const bad[] = {"", "abcd", "xyzxyz", "main", "abcde^"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_fail(change_expect(change, bad[i], &err), &err, ERR_INVALID);
	expect_fail(change_expect(change, "0000000000000000000000000000000000000000", &err), &err,
		    ERR_STALE);
	snprintf(cut, sizeof(cut), "%.6s", temp->first);
	temp_ok(change_expect(change, cut, &err), &err);
	temp_put(change, "a", "1");
	assert_true(temp_commit(change, commit));
	change_end(change);
	/* The first commit is not the head any more. */
	change = temp_begin(temp);
	temp_ok(change_expect(change, temp->first, &err), &err);
	temp_put(change, "b", "2");
	expect_commit_fails(change, ERR_STALE, "stated parent");
	temp_paths(temp, "README.md a dir/ dir/one.txt dir/two.txt ");
}

static void fails_where_the_branch_moves_after_the_check(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *slow = temp_begin(temp);
	owned(change_end) struct change *fast = temp_begin(temp);
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	temp_ok(change_expect(slow, temp->first, &err), &err);
	temp_put(slow, "slow", "");
	temp_put(fast, "fast", "");
	assert_true(temp_commit(fast, commit));
	expect_commit_fails(slow, ERR_STALE, "stated parent");
}

static void applies_to_the_new_head_without_a_parent(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *slow = temp_begin(temp);
	owned(change_end) struct change *fast = temp_begin(temp);
	char commit[GIT_HEX];

	temp_put(slow, "slow", "");
	temp_put(fast, "fast", "");
	assert_true(temp_commit(fast, commit));
	assert_true(temp_commit(slow, commit));
	temp_paths(temp, "README.md dir/ dir/one.txt dir/two.txt fast slow ");
	temp_fsck(temp);
}

/* The same upload with a stated parent and a deletion; true where the branch moved. */
static bool upload(struct temp *temp, const char *title, char commit[static GIT_HEX],
		   struct err *err)
{
	owned(change_end) struct change *change = temp_begin(temp);
	const struct change_meta meta = {.title = title, .author = "me"};
	bool moved = false;

	temp_ok(change_expect(change, temp->first, err), err);
	temp_ok(change_delete_file(change, "dir/one.txt", err), err);
	temp_put(change, "new", "1");
	if (change_commit(change, &meta, commit, &moved, err) < 0)
		commit[0] = '\0';
	return moved;
}

static void answers_the_same_commit_to_a_repeated_upload(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *other = temp_begin(temp);
	char once[GIT_HEX], again[GIT_HEX], commit[GIT_HEX];
	struct err err = ERR_INIT;

	assert_true(upload(temp, "Upload", once, &err));
	assert_false(upload(temp, "Upload", again, &err));
	assert_string_equal(once, again);
	temp_put(other, "other", "");
	assert_true(temp_commit(other, commit));
	assert_false(upload(temp, "Upload", again, &err));
	assert_string_equal(once, again);
	/* Another change is none that was made. */
	assert_false(upload(temp, "Another", again, &err));
	assert_string_equal(again, "");
	assert_int_equal(err.kind, ERR_STALE);
}

enum { BIG_BYTES = 20 << 20, PIECE_BYTES = 10007 };

static void put_big(struct change *change, const char *path, size_t size, struct err *err)
{
	owned(free) unsigned char *bytes = mem_alloc(PIECE_BYTES);
	uint32_t random = 1;

	temp_ok(change_file_open(change, err), err);
	for (size_t at = 0; at < size;) {
		size_t now = size - at < PIECE_BYTES ? size - at : PIECE_BYTES;

		for (size_t i = 0; i < now; i++)
			bytes[i] = (unsigned char)((random = random * 1664525 + 1013904223) >> 24);
		temp_ok(change_file_data(change, bytes, now, err), err);
		at += now;
	}
	temp_ok(change_file_close(change, path, err), err);
}

static void streams_big_files(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	owned(git_blob_release) struct git_blob *blob = NULL;
	struct git_entry entry;
	char commit[GIT_HEX];
	struct err err = ERR_INIT;
	size_t length;
	uint32_t random = 1;

	put_big(change, "big", BIG_BYTES, &err);
	put_big(change, "edge", 1 << 20, &err);
	put_big(change, "over", (1 << 20) + 1, &err);
	assert_true(temp_commit(change, commit));
	temp_ok(git_entry(temp->git, commit, "big", &entry, &err), &err);
	assert_int_equal(entry.size, BIG_BYTES);
	temp_ok(git_blob_open(temp->git, entry.oid, &blob, &err), &err);
	const unsigned char *bytes = git_blob_bytes(blob, &length);
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != (unsigned char)((random = random * 1664525 + 1013904223) >> 24))
			fail_msg("byte %zu differs", i);
	}
	temp_fsck(temp);
}

static void limits_files_and_operations(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = temp_begin(temp);
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	change_limit_file(change, 10);
	temp_ok(change_file_open(change, &err), &err);
	temp_ok(change_file_data(change, "0123456789", 10, &err), &err);
	expect_fail(change_file_data(change, "x", 1, &err), &err, ERR_TOO_LARGE);
	/* Opened again, the other is forgotten. */
	temp_put(change, "small", "x");
	for (int i = 1; i < CHANGE_OPERATIONS_MAX; i++)
		temp_ok(change_delete_file(change, "x", &err), &err);
	expect_fail(change_delete_file(change, "x", &err), &err, ERR_TOO_LARGE);
	expect_fail(change_file_open(change, &err), &err, ERR_TOO_LARGE);
	expect_fail(change_commit(change, &temp_meta, commit, &(bool){0}, &err), &err,
		    ERR_NO_ENTRY);
}

static size_t count_objects(struct temp *temp)
{
	owned(free) char *path = mem_format("%s/objects", temp->path);
	owned(closedir) DIR *dir = opendir(path);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	return count;
}

static void leaves_nothing_behind_when_abandoned(void **state)
{
	struct temp *temp = *state;
	size_t before = count_objects(temp);
	struct change *change = temp_begin(temp);
	struct err err = ERR_INIT;

	temp_put(change, "a", "content that is nowhere else");
	put_big(change, "b", 2 << 20, &err);
	temp_ok(change_delete_file(change, "nope", &err), &err);
	expect_commit_fails(change, ERR_NO_ENTRY, "nope");
	change_end(change);
	assert_int_equal(count_objects(temp), before);
	temp_fsck(temp);
	change_end(NULL);
}

enum { THREADS = 8, COMMITS = 10 };

static void *commit_often(void *arg)
{
	struct temp *temp = arg;
	static _Atomic int next;
	int id = next++;
	struct err err = ERR_INIT;

	for (int i = 0; i < COMMITS; i++) {
		owned(git_close) struct git *git = NULL;
		owned(change_end) struct change *change = NULL;
		owned(free) char *path = mem_format("t%d/%d", id, i);
		char commit[GIT_HEX];
		bool moved = false;

		if (git_open(temp->path, &git, &err) < 0 ||
		    change_begin(git, "main", &change, &err) < 0 ||
		    change_file_open(change, &err) < 0 ||
		    change_file_data(change, path, strlen(path), &err) < 0 ||
		    change_file_close(change, path, &err) < 0 ||
		    change_commit(change, &temp_meta, commit, &moved, &err) < 0 || !moved)
			return mem_text(err.text);
	}
	return NULL;
}

static bool count_entry(void *arg, const struct git_entry *entry)
{
	*(size_t *)arg += !entry->is_dir;
	return true;
}

static void lands_every_parallel_commit(void **state)
{
	struct temp *temp = *state;
	owned(str_done) struct str out = str_new(100);
	pthread_t threads[THREADS];
	char head[GIT_HEX];
	struct err err = ERR_INIT;
	size_t files = 0;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, commit_often, temp), 0);
	for (int i = 0; i < THREADS; i++) {
		void *failure = NULL;

		pthread_join(threads[i], &failure);
		if (failure)
			fail_msg("%s", (char *)failure);
	}
	temp_ok(git_resolve(temp->git, "main", head, &err), &err);
	temp_ok(git_walk(temp->git, head, "", true, count_entry, &files, &err), &err);
	assert_int_equal(files, 3 + THREADS * COMMITS);
	temp_git(temp, (const char *[]){"rev-list", "--count", "main", NULL}, &out);
	assert_string_equal(out.data, "81");
	temp_fsck(temp);
}

static void seeds_only_once(void **state)
{
	struct temp *temp = *state;
	char commit[GIT_HEX];
	struct err err = ERR_INIT;
	const struct change_seed bad = {"../x", ""};

	expect_fail(change_seed(temp->git, NULL, 0, &temp_meta, commit, &err), &err, ERR_EXISTS);
	expect_fail(change_seed(temp->git, &bad, 1, &temp_meta, commit, &err), &err,
		    ERR_UNPROCESSED);
}

static void needs_a_branch(void **state)
{
	struct temp *temp = *state;
	owned(change_end) struct change *change = NULL;
	struct err err = ERR_INIT;
	static const char *const names[] = {"nope", "../heads/main", "main^",          "",
					    "a b",  "refs/heads/",   "refs/heads/nope"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect_fail(change_begin(temp->git, names[i], &change, &err), &err,
			    ERR_NO_REVISION);
	expect_fail(change_begin(temp->git, temp->first, &change, &err), &err, ERR_UNPROCESSED);
	assert_non_null(strstr(err.text, "is not a branch"));
	temp_ok(change_begin(temp->git, "refs/heads/main", &change, &err), &err);
}

static void tells_what_the_commit_says(void **state)
{
	struct temp *temp = *state;
	owned(str_done) struct str out = str_new(1000);

	temp_git(temp, (const char *[]){"log", "-1", "--format=%an|%ae|%cn|%s|%b", "main", NULL},
		 &out);
	assert_string_equal(out.data, "me|me@users.noreply.localhost|me|Change|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_TEST(applies_operations_in_their_order),
		TEMP_TEST(drops_folders_that_become_empty),
		TEMP_TEST(never_takes_a_folder_for_a_file),
		TEMP_TEST(replaces_files_by_folders_and_back_if_told),
		TEMP_TEST(sorts_as_git_does),
		TEMP_TEST(deletes_folders_by_either_word),
		TEMP_TEST(refuses_to_delete_what_is_not_there),
		TEMP_TEST(refuses_hostile_paths),
		TEMP_TEST(keeps_the_executable_bit),
		TEMP_TEST(takes_a_link_for_the_file_that_it_is),
		TEMP_TEST(answers_the_head_where_nothing_changes),
		TEMP_TEST(checks_the_stated_parent),
		TEMP_TEST(fails_where_the_branch_moves_after_the_check),
		TEMP_TEST(applies_to_the_new_head_without_a_parent),
		TEMP_TEST(answers_the_same_commit_to_a_repeated_upload),
		TEMP_TEST(streams_big_files),
		TEMP_TEST(limits_files_and_operations),
		TEMP_TEST(leaves_nothing_behind_when_abandoned),
		TEMP_TEST(lands_every_parallel_commit),
		TEMP_TEST(seeds_only_once),
		TEMP_TEST(needs_a_branch),
		TEMP_TEST(tells_what_the_commit_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
