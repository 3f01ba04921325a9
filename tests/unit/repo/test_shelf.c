#include "repo/shelf.h"

#include <pthread.h>

#include "temp.h"

static struct git *open_on(struct shelf *shelf, const char *path)
{
	struct git *git = NULL;
	struct err err = ERR_INIT;

	temp_ok(shelf_open(shelf, path, &git, &err), &err);
	return git;
}

static void a_closed_repository_is_used_again(void **state)
{
	struct temp *temp = *state;
	owned(shelf_free) struct shelf *shelf = shelf_new();
	struct git *git = open_on(shelf, temp->path);

	git_close(git);
	assert_ptr_equal(open_on(shelf, temp->path), git);
	git_close(git);
}

static void one_in_use_is_nobody_elses(void **state)
{
	struct temp *temp = *state;
	owned(shelf_free) struct shelf *shelf = shelf_new();
	owned(git_close) struct git *git = open_on(shelf, temp->path);
	owned(git_close) struct git *other = open_on(shelf, temp->path);

	assert_ptr_not_equal(git, other);
}

static void sees_what_was_committed_since(void **state)
{
	struct temp *temp = *state;
	owned(shelf_free) struct shelf *shelf = shelf_new();
	struct git *git = open_on(shelf, temp->path);
	struct git_entry entry;
	struct err err = ERR_INIT;
	char head[GIT_HEX], made[GIT_HEX];
	bool moved;

	temp_ok(git_resolve(git, "main", head, &err), &err);
	assert_string_equal(head, temp->first);
	git_close(git);
	{
		owned(change_end) struct change *change = temp_begin(temp);

		temp_ok(change_file_open(change, &err), &err);
		temp_ok(change_file_data(change, "new", 3, &err), &err);
		temp_ok(change_file_close(change, "new.txt", &err), &err);
		temp_ok(change_commit(change, &temp_meta, made, &moved, &err), &err);
	}
	git = open_on(shelf, temp->path);
	temp_ok(git_resolve(git, "main", head, &err), &err);
	assert_string_equal(head, made);
	temp_ok(git_entry(git, head, "new.txt", &entry, &err), &err);
	assert_int_equal(entry.size, 3);
	git_close(git);
}

static void a_removed_repository_is_gone(void **state)
{
	struct temp *temp = *state;
	owned(shelf_free) struct shelf *shelf = shelf_new();
	struct git *git;
	struct err err = ERR_INIT;

	git_close(open_on(shelf, temp->path));
	temp_ok(file_remove_tree(AT_FDCWD, temp->path, &err), &err);
	assert_int_equal(shelf_open(shelf, temp->path, &git, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REPO);
}

static void one_in_the_same_place_is_another_one(void **state)
{
	struct temp *temp = *state;
	owned(shelf_free) struct shelf *shelf = shelf_new();
	struct err err = ERR_INIT;
	char head[GIT_HEX], moved_away[64];

	git_close(open_on(shelf, temp->path));
	snprintf(moved_away, sizeof(moved_away), "%s/old", temp->folder);
	assert_int_equal(rename(temp->path, moved_away), 0);
	temp_ok(git_init(temp->path, &err), &err);

	owned(git_close) struct git *git = open_on(shelf, temp->path);
	assert_int_equal(git_resolve(git, "main", head, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REVISION);
}

/* More than the shelf has room for: the rest is closed, which leak and address checks watch. */
static void has_room_for_some_only(void **state)
{
	struct temp *temp = *state;
	owned(shelf_free) struct shelf *shelf = shelf_new();
	struct git *gits[40];

	for (int i = 0; i < 40; i++)
		gits[i] = open_on(shelf, temp->path);
	for (int i = 0; i < 40; i++)
		git_close(gits[i]);
	assert_ptr_equal(open_on(shelf, temp->path), gits[39]);
	git_close(gits[39]);
}

struct reader {
	struct shelf *shelf;
	const char *path;
	const char *head;
	bool wrong;
};

static void *read_often(void *arg)
{
	struct reader *reader = arg;

	for (int i = 0; i < 200; i++) {
		owned(git_close) struct git *git = NULL;
		struct git_entry entry;
		struct err err = ERR_INIT;

		if (shelf_open(reader->shelf, reader->path, &git, &err) < 0 ||
		    git_entry(git, reader->head, "dir/two.txt", &entry, &err) < 0 ||
		    entry.size != 2)
			reader->wrong = true;
	}
	return NULL;
}

static void threads_share_it(void **state)
{
	struct temp *temp = *state;
	owned(shelf_free) struct shelf *shelf = shelf_new();
	struct reader readers[4];
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		readers[i] = (struct reader){shelf, temp->path, temp->first, false};
		assert_int_equal(pthread_create(&threads[i], NULL, read_often, &readers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_false(readers[i].wrong);
	}
}

#define WITH_REPO(test) cmocka_unit_test_setup_teardown(test, temp_setup, temp_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_REPO(a_closed_repository_is_used_again),
		WITH_REPO(one_in_use_is_nobody_elses),
		WITH_REPO(sees_what_was_committed_since),
		WITH_REPO(a_removed_repository_is_gone),
		WITH_REPO(one_in_the_same_place_is_another_one),
		WITH_REPO(has_room_for_some_only),
		WITH_REPO(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
