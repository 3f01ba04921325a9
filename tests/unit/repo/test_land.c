#include "repo/land.h"

#include <string.h>

#include "temp.h"

static const char branch[] = "refs/heads/main";

static git_oid head_of(struct temp *temp)
{
	git_oid id;
	struct err err = ERR_INIT;

	assert_int_equal(inner_head(temp->git, branch, &id, &err), 1);
	return id;
}

/* A commit of no files on top of the first one, in quarantine. */
static struct quarantine *prepare(struct temp *temp, git_oid *commit)
{
	struct quarantine *quarantine = NULL;
	struct err err = ERR_INIT;
	char text[256];
	git_oid tree;

	temp_ok(quarantine_new(temp->git, &quarantine, &err), &err);
	assert_int_equal(git_odb_write(&tree, quarantine_odb(quarantine), "", 0, GIT_OBJECT_TREE),
			 0);
	snprintf(text, sizeof(text),
		 "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent %s\n"
		 "author me <me@localhost> 1 +0000\ncommitter me <me@localhost> 1 +0000\n\nNext\n",
		 temp->first);
	assert_int_equal(git_odb_write(commit, quarantine_odb(quarantine), text, strlen(text),
				       GIT_OBJECT_COMMIT),
			 0);
	return quarantine;
}

static void objects_and_branch_arrive_together(void **state)
{
	struct temp *temp = *state;
	git_oid old = head_of(temp), new;
	owned(quarantine_free) struct quarantine *quarantine = prepare(temp, &new);
	const struct land to = {temp->git, branch, &old, &new};
	struct git_commit_info info;
	struct err err = ERR_INIT;
	char hex[GIT_HEX];

	assert_int_equal(land_ref(&to, quarantine, &err), 1);
	temp_ok(git_resolve(temp->git, "main", hex, &err), &err);
	assert_string_equal(hex, git_oid_tostr_s(&new));
	temp_ok(git_commit_info(temp->git, hex, &info, &err), &err);
	assert_string_equal(info.title, "Next");
	git_commit_info_done(&info);
}

static void a_branch_that_is_elsewhere_stays(void **state)
{
	struct temp *temp = *state;
	git_oid old = head_of(temp), new;
	owned(quarantine_free) struct quarantine *quarantine = prepare(temp, &new);
	const struct land from_nowhere = {temp->git, branch, &new, &new};
	const struct land from_nothing = {temp->git, branch, NULL, &new};
	const struct land to = {temp->git, branch, &old, &new};
	struct err err = ERR_INIT;
	git_oid now;

	assert_int_equal(land_ref(&from_nowhere, quarantine, &err), 0);
	assert_int_equal(land_ref(&from_nothing, quarantine, &err), 0);
	now = head_of(temp);
	assert_true(git_oid_equal(&now, &old));
	/* The same quarantine lands where the branch is found. */
	assert_int_equal(land_ref(&to, quarantine, &err), 1);
	now = head_of(temp);
	assert_true(git_oid_equal(&now, &new));
}

static void no_lock_is_left_behind(void **state)
{
	struct temp *temp = *state;
	git_oid old = head_of(temp), new;
	owned(quarantine_free) struct quarantine *quarantine = prepare(temp, &new);
	const struct land to = {temp->git, branch, &old, &new};
	struct err err = ERR_INIT;
	char path[128];

	assert_int_equal(land_ref(&to, quarantine, &err), 1);
	snprintf(path, sizeof(path), "%s/refs/heads/main.lock", temp->path);
	assert_false(file_exists(AT_FDCWD, path));
	assert_int_equal(land_ref(&to, quarantine, &err), 0);
	assert_false(file_exists(AT_FDCWD, path));
}

#define WITH_REPO(test) cmocka_unit_test_setup_teardown(test, temp_setup, temp_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_REPO(objects_and_branch_arrive_together),
		WITH_REPO(a_branch_that_is_elsewhere_stays),
		WITH_REPO(no_lock_is_left_behind),
	};

	/* Then without a journal that keeps the order of renames. */
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	temp_base = "/dev/shm";
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
