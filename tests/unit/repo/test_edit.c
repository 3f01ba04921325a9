#include "temp.h"

#include "repo/edit.h"

/* An edit of an empty tree, straight in the repository's database. */
static struct edit *make(struct temp *temp, const git_oid *root)
{
	struct edit *edit = NULL;
	struct err err = ERR_INIT;

	temp_ok(edit_new(temp->git->odb, root, &edit, &err), &err);
	return edit;
}

static git_oid blob_make(struct temp *temp)
{
	git_oid id;

	assert_int_equal(git_odb_write(&id, temp->git->odb, "x", 1, GIT_OBJECT_BLOB), 0);
	return id;
}

static git_oid written(struct edit *edit)
{
	struct err err = ERR_INIT;
	git_oid id;

	temp_ok(edit_write(edit, &id, &err), &err);
	return id;
}

static void knows_the_empty_tree(void **state)
{
	owned(edit_free) struct edit *edit = make(*state, NULL);
	git_oid id = written(edit);

	assert_int_equal(git_oid_streq(&id, "4b825dc642cb6eb9a060e54bf8d69288fbee4904"), 0);
}

static void comes_back_to_the_same_tree(void **state)
{
	struct temp *temp = *state;
	owned(edit_free) struct edit *edit = make(temp, NULL);
	git_oid blob = blob_make(temp), before, after;
	struct err err = ERR_INIT;

	temp_ok(edit_put(edit, "a/b/c", &blob, &err), &err);
	temp_ok(edit_put(edit, "a/d", &blob, &err), &err);
	before = written(edit);
	owned(edit_free) struct edit *again = make(temp, &before);
	temp_ok(edit_put(again, "a/x/y", &blob, &err), &err);
	temp_ok(edit_remove(again, "a/b", true, &err), &err);
	temp_ok(edit_remove(again, "a/x/y", false, &err), &err);
	temp_ok(edit_put(again, "a/b/c", &blob, &err), &err);
	after = written(again);
	assert_true(git_oid_equal(&before, &after));
}

/* One folder with so many files that a copy of the rest for each would be felt. */
static void takes_many_files_in_one_folder(void **state)
{
	enum { MANY = 20000 };
	struct temp *temp = *state;
	owned(edit_free) struct edit *edit = make(temp, NULL);
	git_oid blob = blob_make(temp), id;
	struct err err = ERR_INIT;
	char path[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "many/%d", i);
		temp_ok(edit_put(edit, path, &blob, &err), &err);
	}
	id = written(edit);
	owned(edit_free) struct edit *again = make(temp, &id);
	for (int i = 1; i < MANY; i++) {
		snprintf(path, sizeof(path), "many/%d", i);
		temp_ok(edit_remove(again, path, false, &err), &err);
	}
	owned(edit_free) struct edit *single = make(temp, NULL);
	temp_ok(edit_put(single, "many/0", &blob, &err), &err);
	git_oid left = written(again), right = written(single);
	assert_true(git_oid_equal(&left, &right));
}

static void refuses_damaged_trees(void **state)
{
	struct temp *temp = *state;
	static const struct {
		const char *bytes;
		size_t length;
	} trees[] = {
		{"100644 a", 8},
		{"100644 a\0short", 14},
		{"100644a\0aaaaaaaaaaaaaaaaaaaa", 28},
		{"100644 \0aaaaaaaaaaaaaaaaaaaa", 28},
		{"100644 a\0aaaaaaaaaaaaaaaaaaaa100644 a\0aaaaaaaaaaaaaaaaaaaa", 58},
	};

	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		owned(edit_free) struct edit *edit = NULL;
		struct err err = ERR_INIT;
		git_oid id;

		assert_int_equal(git_odb_write(&id, temp->git->odb, trees[i].bytes, trees[i].length,
					       GIT_OBJECT_TREE),
				 0);
		assert_int_equal(edit_new(temp->git->odb, &id, &edit, &err), -1);
		assert_string_equal(err.text, "a tree is damaged");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_EMPTY(knows_the_empty_tree),
		TEMP_EMPTY(comes_back_to_the_same_tree),
		TEMP_EMPTY(takes_many_files_in_one_folder),
		TEMP_EMPTY(refuses_damaged_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
