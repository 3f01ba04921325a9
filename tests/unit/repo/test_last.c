#include "temp.h"

#include "repo/last.h"

/* git fast-import reads a history as text. */
static void import(struct temp *temp, const char *text)
{
	const char *const argv[] = {"git",     "-C",      temp->path, "fast-import",
				    "--quiet", "--force", NULL};
	owned(str_done) struct str output = str_new(1000);
	struct err err = ERR_INIT;

	temp_ok(proc_run(argv, text, &output, &err), &err);
}

/* A commit on a branch, at a second; `changes` are lines of fast-import. */
static void add_commit(struct str *out, const char *branch, int second, const char *merge,
		       const char *changes)
{
	str_addf(out, "commit refs/heads/%s\ncommitter t <t@t> %d +0000\ndata 1\nx\n", branch,
		 1700000000 + second);
	if (merge)
		str_addf(out, "merge refs/heads/%s\n", merge);
	str_addf(out, "%s\n", changes);
}

#define FILE_IS(path, text) "M 100644 inline " path "\ndata 1\n" text "\n"

static const char *const paths[] = {"README.md", "dir",  "dir/a", "dir/sub", "dir/sub/b", "program",
				    "taken",     "both", "back",  "other",   "other/c"};
enum { ENOUGH = 1000000, COMMITS = 200 };
enum { PATHS = sizeof(paths) / sizeof(paths[0]) };

static void make_history(struct temp *temp)
{
	owned(str_done) struct str out = str_new(1 << 20);

	str_add(&out, "reset refs/heads/main\n");
	add_commit(&out, "main", 0, NULL,
		   FILE_IS("README.md", "1") FILE_IS("dir/a", "1") FILE_IS("dir/sub/b", "1")
			   FILE_IS("program", "1") FILE_IS("taken", "1") FILE_IS("both", "1")
				   FILE_IS("back", "1") FILE_IS("other/c", "1"));
	add_commit(&out, "main", 1, NULL, FILE_IS("dir/a", "2") FILE_IS("back", "2"));
	str_add(&out, "reset refs/heads/side\nfrom refs/heads/main\n\n");
	add_commit(&out, "side", 2, NULL, FILE_IS("taken", "2"));
	add_commit(&out, "main", 3, NULL, FILE_IS("both", "2"));
	add_commit(&out, "side", 4, NULL, FILE_IS("both", "3") FILE_IS("dir/sub/b", "2"));
	add_commit(&out, "main", 5, NULL, "M 100755 inline program\ndata 1\n1\n");
	/* `taken` and dir/sub as in side, `both` unlike either. */
	add_commit(&out, "main", 6, "side",
		   FILE_IS("taken", "2") FILE_IS("dir/sub/b", "2") FILE_IS("both", "4"));
	add_commit(&out, "main", 7, NULL, FILE_IS("back", "1"));
	add_commit(&out, "main", 8, NULL, "D other\n");
	add_commit(&out, "main", 9, NULL, FILE_IS("other/c", "1"));
	import(temp, out.data);
}

static void tells_what_git_log_tells(void **state)
{
	struct temp *temp = *state;
	struct last_path found[PATHS];
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	make_history(temp);
	temp_ok(git_resolve(temp->git, "main", commit, &err), &err);
	for (size_t i = 0; i < PATHS; i++)
		found[i].path = paths[i];
	temp_ok(last_find(temp->git, commit, &(struct last_query){found, PATHS, ENOUGH}, &err),
		&err);
	for (size_t i = 0; i < PATHS; i++) {
		owned(str_done) struct str out = str_new(1000);

		temp_git(temp,
			 (const char *[]){"log", "-1", "--format=%H", commit, "--", paths[i], NULL},
			 &out);
		if (strcmp(out.data, found[i].commit) != 0)
			fail_msg("%s: %s is not %s", paths[i], found[i].commit, out.data);
	}
}

static void a_path_that_is_not_there_has_none(void **state)
{
	struct temp *temp = *state;
	struct last_path found[] = {{.path = "nope"},
				    {.path = "no/pe"},
				    {.path = "README.md/x"},
				    {.path = "README.md"}};
	const struct last_query query = {found, 4, ENOUGH}, nothing = {NULL, 0, ENOUGH};
	struct err err = ERR_INIT;

	temp_ok(last_find(temp->git, temp->first, &query, &err), &err);
	assert_string_equal(found[0].commit, "");
	assert_string_equal(found[1].commit, "");
	assert_string_equal(found[2].commit, "");
	assert_string_equal(found[3].commit, temp->first);
	temp_ok(last_find(temp->git, temp->first, &nothing, &err), &err);
	assert_int_equal(last_find(temp->git, "main", &query, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REVISION);
}

/* Who looks for the first commit of a very long history gets no answer, soon. */
static void stops_after_its_work(void **state)
{
	struct temp *temp = *state;
	owned(str_done) struct str out = str_new(1 << 20);
	struct last_path found[] = {{.path = "first"}, {.path = "newest"}};
	const struct last_query query = {found, 2, 200 * COMMITS};
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	str_add(&out, "reset refs/heads/main\n");
	add_commit(&out, "main", 0, NULL, FILE_IS("first", "1"));
	for (int i = 1; i <= COMMITS; i++)
		add_commit(&out, "main", i, NULL,
			   i % 2 ? FILE_IS("newest", "1") : FILE_IS("newest", "2"));
	import(temp, out.data);
	temp_ok(git_resolve(temp->git, "main", commit, &err), &err);
	temp_ok(last_find(temp->git, commit, &query, &err), &err);
	assert_string_equal(found[0].commit, "");
	assert_string_equal(found[1].commit, commit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_TEST(tells_what_git_log_tells),
		TEMP_TEST(a_path_that_is_not_there_has_none),
		TEMP_TEST(stops_after_its_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
