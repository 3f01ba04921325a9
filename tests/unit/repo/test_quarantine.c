#include "temp.h"

#include "repo/quarantine.h"

static struct quarantine *make(struct temp *temp)
{
	struct quarantine *quarantine = NULL;
	struct err err = ERR_INIT;

	temp_ok(quarantine_new(temp->git, &quarantine, &err), &err);
	return quarantine;
}

static void keep(struct quarantine *quarantine, const char *text, git_oid *out)
{
	assert_int_equal(
		git_odb_write(out, quarantine_odb(quarantine), text, strlen(text), GIT_OBJECT_BLOB),
		0);
}

static void hides_objects_until_they_are_published(void **state)
{
	struct temp *temp = *state;
	owned(quarantine_free) struct quarantine *quarantine = make(temp);
	struct err err = ERR_INIT;
	git_oid first, second;

	keep(quarantine, "first", &first);
	temp_ok(quarantine_sync(quarantine, &err), &err);
	assert_false(git_odb_exists(temp->git->odb, &first));
	assert_true(git_odb_exists(quarantine_odb(quarantine), &first));
	temp_ok(quarantine_publish(quarantine, &err), &err);
	assert_true(git_odb_exists(temp->git->odb, &first));
	/* And once more. */
	keep(quarantine, "second", &second);
	assert_false(git_odb_exists(temp->git->odb, &second));
	temp_ok(quarantine_publish(quarantine, &err), &err);
	assert_true(git_odb_exists(temp->git->odb, &second));
	temp_ok(quarantine_publish(quarantine, &err), &err);
}

/* Files that are no objects yet. */
static unsigned count_files(struct quarantine *quarantine)
{
	int fd = openat(quarantine_fd(quarantine), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	owned(closedir) DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += strncmp(entry->d_name, "tmp_", 4) == 0;
	return count;
}

static void sees_the_repository_and_does_not_copy_it(void **state)
{
	struct temp *temp = *state;
	owned(quarantine_free) struct quarantine *quarantine = make(temp);
	struct git_entry entry;
	struct err err = ERR_INIT;
	git_oid id, other;

	keep(quarantine, "hello", &id); /* README.md */
	temp_ok(git_entry(temp->git, temp->first, "README.md", &entry, &err), &err);
	assert_int_equal(git_oid_streq(&id, entry.oid), 0);
	temp_ok(quarantine_sync(quarantine, &err), &err);
	assert_int_equal(count_files(quarantine), 0);
	keep(quarantine, "hello, you", &other);
	temp_ok(quarantine_sync(quarantine, &err), &err);
	assert_int_equal(count_files(quarantine), 1);
	temp_ok(quarantine_publish(quarantine, &err), &err);
	assert_int_equal(count_files(quarantine), 0);
}

/* Larger ones than memory has room for, beside small ones. */
static void publishes_large_and_small(void **state)
{
	enum { LARGE = 3 << 20 };
	struct temp *temp = *state;
	owned(quarantine_free) struct quarantine *quarantine = make(temp);
	owned(free) char *large = mem_alloc(LARGE);
	struct err err = ERR_INIT;
	git_oid ids[3];
	size_t size;
	git_object_t type;

	keep(quarantine, "small", &ids[0]);
	assert_int_equal(
		git_odb_write(&ids[1], quarantine_odb(quarantine), large, LARGE, GIT_OBJECT_BLOB),
		0);
	keep(quarantine, "small too", &ids[2]);
	temp_ok(quarantine_publish(quarantine, &err), &err);
	for (int i = 0; i < 3; i++)
		assert_true(git_odb_exists(temp->git->odb, &ids[i]));
	assert_int_equal(git_odb_read_header(&size, &type, temp->git->odb, &ids[1]), 0);
	assert_int_equal(size, LARGE);
}

static void publishes_what_another_has_published_too(void **state)
{
	struct temp *temp = *state;
	owned(quarantine_free) struct quarantine *left = make(temp);
	owned(quarantine_free) struct quarantine *right = make(temp);
	struct err err = ERR_INIT;
	git_oid id;

	keep(left, "same", &id);
	keep(right, "same", &id);
	temp_ok(quarantine_publish(left, &err), &err);
	temp_ok(quarantine_publish(right, &err), &err);
	assert_true(git_odb_exists(temp->git->odb, &id));
}

/* So many that they are synced at once. */
static void publishes_many(void **state)
{
	enum { MANY = 300 };
	struct temp *temp = *state;
	owned(quarantine_free) struct quarantine *quarantine = make(temp);
	struct err err = ERR_INIT;
	git_oid ids[MANY];
	char text[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "%d", i);
		keep(quarantine, text, &ids[i]);
	}
	temp_ok(quarantine_sync(quarantine, &err), &err);
	temp_ok(quarantine_publish(quarantine, &err), &err);
	for (int i = 0; i < MANY; i++)
		assert_true(git_odb_exists(temp->git->odb, &ids[i]));
}

static void deletes_what_was_not_published(void **state)
{
	struct temp *temp = *state;
	struct quarantine *quarantine = make(temp);
	struct err err = ERR_INIT;
	git_oid id;

	keep(quarantine, "never", &id);
	temp_ok(quarantine_sync(quarantine, &err), &err);
	quarantine_free(quarantine);
	quarantine_free(NULL);
	assert_false(git_odb_exists(temp->git->odb, &id));
	temp_fsck(temp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_TEST(hides_objects_until_they_are_published),
		TEMP_TEST(sees_the_repository_and_does_not_copy_it),
		TEMP_TEST(publishes_large_and_small),
		TEMP_TEST(publishes_what_another_has_published_too),
		TEMP_TEST(publishes_many),
		TEMP_TEST(deletes_what_was_not_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
