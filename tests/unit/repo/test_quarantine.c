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

static void sees_the_repository_and_does_not_copy_it(void **state)
{
	struct temp *temp = *state;
	owned(quarantine_free) struct quarantine *quarantine = make(temp);
	owned(free) char *loose = NULL;
	struct git_entry entry;
	struct err err = ERR_INIT;
	git_oid id;

	keep(quarantine, "hello", &id); /* README.md */
	temp_ok(git_entry(temp->git, temp->first, "README.md", &entry, &err), &err);
	assert_int_equal(git_oid_streq(&id, entry.oid), 0);
	loose = mem_format("%.2s/%s", entry.oid, entry.oid + 2);
	assert_false(file_exists(quarantine_fd(quarantine), loose));
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
	git_oid id;

	keep(quarantine, "never", &id);
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
		TEMP_TEST(publishes_what_another_has_published_too),
		TEMP_TEST(publishes_many),
		TEMP_TEST(deletes_what_was_not_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
