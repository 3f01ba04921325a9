#include "api/lasts.h"

#include "repo/change.h"

#include "temp.h"

/* A repository with one commit of a file and a folder. */
static struct git *make_repo(const char *folder, char commit[static GIT_HEX])
{
	static const struct change_seed files[] = {{"a", "1"}, {"dir/b", "2"}};
	const struct change_meta meta = {.title = "caf\xe9", .author = "me"};
	owned(free) char *path = mem_format("%s/r.git", folder);
	struct git *git;
	struct err err = ERR_INIT;

	assert_ok(git_init(path, &err));
	assert_ok(git_open(path, &git, &err));
	assert_ok(change_seed(git, files, 2, &meta, commit, &err));
	return git;
}

static void entries_share_a_commit(void **state)
{
	char commit[GIT_HEX];
	owned(git_close) struct git *git = make_repo(*state, commit);
	owned(json_decref) json_t *entries =
		json_pack("[{s:s}, {s:s}, {s:s}]", "path", "a", "path", "dir", "path", "dir/b");
	json_t *first, *entry;
	struct err err = ERR_INIT;
	size_t i;

	assert_ok(lasts_add(git, commit, entries, &err));
	first = json_object_get(json_array_get(entries, 0), "lastCommit");
	assert_string_equal(json_string_value(json_object_get(first, "id")), commit);
	json_array_foreach (entries, i, entry)
		assert_ptr_equal(json_object_get(entry, "lastCommit"), first);
}

/* A title that is no UTF-8 is told as well as it can be. */
static void a_title_may_be_anything(void **state)
{
	char commit[GIT_HEX];
	owned(git_close) struct git *git = make_repo(*state, commit);
	owned(json_decref) json_t *entries = json_pack("[{s:s}]", "path", "a");
	json_t *last;
	struct err err = ERR_INIT;

	assert_ok(lasts_add(git, commit, entries, &err));
	last = json_object_get(json_array_get(entries, 0), "lastCommit");
	assert_string_equal(json_string_value(json_object_get(last, "title")), "caf?");
}

static void what_is_not_there_goes_without(void **state)
{
	char commit[GIT_HEX];
	owned(git_close) struct git *git = make_repo(*state, commit);
	owned(json_decref) json_t *entries = json_pack("[{s:s}]", "path", "nothing");
	owned(json_decref) json_t *none = json_array();
	struct err err = ERR_INIT;

	assert_ok(lasts_add(git, commit, entries, &err));
	assert_null(json_object_get(json_array_get(entries, 0), "lastCommit"));
	assert_ok(lasts_add(git, commit, none, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(entries_share_a_commit, temp_setup, temp_teardown),
		cmocka_unit_test_setup_teardown(a_title_may_be_anything, temp_setup, temp_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_there_goes_without, temp_setup,
						temp_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
