#include "temp.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/proc.h"
#include "repo/quarantine.h"
#include "repo/refs.h"
#include "repo/tidy.h"

enum { MANY = 60, PACKS = 3 };

static void tidy(const struct temp *temp, int64_t keep_s)
{
	const struct tidy how = {
		.path = temp->path, .keep_s = keep_s, .loose_many = MANY, .packs_many = PACKS};
	struct err err = ERR_INIT;
	int64_t freed = -1;

	temp_ok(tidy_repo(&how, &freed, &err), &err);
	assert_true(freed >= 0);
}

/* What git says with this command, which must work. */
static void git(const struct temp *temp, struct str *output, const char *word, const char *more)
{
	owned(free) char *where = mem_format("--git-dir=%s", temp->path);
	const char *const argv[] = {"git", where, word, more, NULL};
	struct err err = ERR_INIT;

	temp_ok(proc_run(argv, NULL, output, &err), &err);
}

static void check(const struct temp *temp)
{
	owned(str_done) struct str output = str_new(1 << 20);

	git(temp, &output, "fsck", "--full");
}

/* "count: 3" of git count-objects -v. */
static long count(const struct temp *temp, const char *what)
{
	owned(str_done) struct str output = str_new(4096);
	const char *at;

	git(temp, &output, "count-objects", "-v");
	at = strstr(output.data, what);
	assert_non_null(at);
	return strtol(at + strlen(what), NULL, 10);
}

static void commit_many(struct temp *temp, const char *mark, size_t files)
{
	struct change *change = temp_begin(temp);
	char commit[GIT_HEX];

	for (size_t i = 0; i < files; i++) {
		owned(free) char *path = mem_format("%s/%zu.txt", mark, i);

		temp_put(change, path, path);
	}
	assert_true(temp_commit(change, commit));
	change_end(change);
}

static void a_small_repository_is_left_as_it_is(void **state)
{
	struct temp *temp = *state;

	tidy(temp, 86400);
	assert_int_equal(count(temp, "packs: "), 0);
	assert_int_equal(count(temp, "count: "), 6);
}

static void many_objects_become_a_pack_and_are_read_from_it(void **state)
{
	struct temp *temp = *state;

	commit_many(temp, "many", MANY);
	assert_true(count(temp, "count: ") > MANY);
	tidy(temp, 86400);
	assert_int_equal(count(temp, "count: "), 0);
	assert_int_equal(count(temp, "packs: "), 1);
	temp_text(temp, "many/7.txt", "many/7.txt"); /* by a handle from before */
	temp_text(temp, "README.md", "hello");
	check(temp);
}

static void large_files_stay_loose(void **state)
{
	enum { LARGE = 2 << 20 };
	struct temp *temp = *state;
	owned(free) char *text = mem_alloc(LARGE + 1);
	struct change *change;
	char commit[GIT_HEX];

	memset(text, 'x', LARGE);
	change = temp_begin(temp);
	temp_put(change, "large.bin", text);
	assert_true(temp_commit(change, commit));
	change_end(change);
	commit_many(temp, "many", MANY);
	tidy(temp, 86400);
	assert_int_equal(count(temp, "packs: "), 1);
	assert_int_equal(count(temp, "count: "), 1);
	temp_text(temp, "large.bin", text);
}

static void many_packs_become_one(void **state)
{
	struct temp *temp = *state;

	for (size_t i = 0; i < PACKS; i++) {
		owned(str_done) struct str output = str_new(4096);
		owned(free) char *mark = mem_format("pack%zu", i);

		commit_many(temp, mark, 2);
		git(temp, &output, "repack", "-dq");
	}
	assert_int_equal(count(temp, "packs: "), PACKS);
	tidy(temp, 86400);
	assert_int_equal(count(temp, "packs: "), 1);
	temp_text(temp, "pack1/1.txt", "pack1/1.txt");
	check(temp);
}

static void many_branches_become_lines(void **state)
{
	struct temp *temp = *state;
	owned(free) char *packed = mem_format("%s/packed-refs", temp->path);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 100; i++) {
		owned(free) char *name = mem_format("b%zu", i);

		temp_ok(refs_make_branch(temp->git, name, temp->first, false, &err), &err);
	}
	tidy(temp, 86400);
	assert_true(file_exists(AT_FDCWD, packed));
	temp_text(temp, "README.md", "hello");
	commit_many(temp, "after", 1);
	temp_text(temp, "after/0.txt", "after/0.txt");
}

/* An object that nothing leads to, as old as that. */
static void keep_stray(const struct temp *temp, const char *text, time_t age_s, git_oid *id)
{
	owned(quarantine_free) struct quarantine *quarantine = NULL;
	owned(free) char *path = NULL;
	char hex[GIT_HEX];
	struct err err = ERR_INIT;
	struct timespec times[2];

	temp_ok(quarantine_new(temp->git, &quarantine, &err), &err);
	assert_int_equal(
		git_odb_write(id, quarantine_odb(quarantine), text, strlen(text), GIT_OBJECT_BLOB),
		0);
	temp_ok(quarantine_publish(quarantine, &err), &err);
	git_oid_tostr(hex, sizeof(hex), id);
	path = mem_format("%s/objects/%.2s/%s", temp->path, hex, hex + 2);
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= age_s;
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_there(const struct temp *temp, const git_oid *id)
{
	return git_odb_refresh(temp->git->odb) == 0 && git_odb_exists(temp->git->odb, id);
}

static void what_nothing_leads_to_goes_when_it_is_old(void **state)
{
	struct temp *temp = *state;
	git_oid old;
	git_oid young;

	keep_stray(temp, "old", 3 * 86400, &old);
	keep_stray(temp, "young", 3600, &young);
	tidy(temp, 86400);
	assert_false(is_there(temp, &old));
	assert_true(is_there(temp, &young));
	check(temp);
}

static void an_upload_keeps_all_that_is_there(void **state)
{
	struct temp *temp = *state;
	struct change *change;
	char commit[GIT_HEX];
	git_oid old;

	keep_stray(temp, "old", 3 * 86400, &old);
	change = temp_begin(temp);
	tidy(temp, 86400);
	assert_true(is_there(temp, &old));
	temp_put(change, "again.txt", "old");
	assert_true(temp_commit(change, commit));
	change_end(change);
	tidy(temp, 86400);
	temp_text(temp, "again.txt", "old");
	check(temp);
}

/* One that is uploaded again is as young as the upload. */
static void what_is_uploaded_again_is_young_again(void **state)
{
	struct temp *temp = *state;
	struct change *change;
	git_oid old;

	keep_stray(temp, "old", 3 * 86400, &old);
	change = temp_begin(temp);
	temp_put(change, "again.txt", "old");
	change_end(change);
	tidy(temp, 86400);
	assert_true(is_there(temp, &old));
}

struct committer {
	struct temp *temp;
	atomic_bool stop;
	unsigned commits;
};

static void *commit_all_the_time(void *arg)
{
	struct committer *committer = arg;
	struct temp own = *committer->temp;
	struct err err = ERR_INIT;

	temp_ok(git_open(own.path, &own.git, &err), &err);
	while (!atomic_load(&committer->stop)) {
		owned(free) char *mark = mem_format("busy%u", committer->commits++);

		commit_many(&own, mark, 3);
	}
	git_close(own.git);
	return NULL;
}

static void commits_go_on_meanwhile_and_lose_nothing(void **state)
{
	struct committer committer = {.temp = *state};
	pthread_t thread;

	commit_many(committer.temp, "many", MANY);
	assert_int_equal(pthread_create(&thread, NULL, commit_all_the_time, &committer), 0);
	for (int i = 0; i < 2; i++) {
		git_oid stray;

		keep_stray(committer.temp, "stray", 3 * 86400, &stray);
		tidy(committer.temp, 86400);
	}
	atomic_store(&committer.stop, true);
	pthread_join(thread, NULL);
	assert_true(committer.commits > 0);
	for (unsigned i = 0; i < committer.commits; i++) {
		owned(free) char *path = mem_format("busy%u/2.txt", i);

		temp_text(committer.temp, path, path);
	}
	check(committer.temp);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, temp_setup, temp_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_small_repository_is_left_as_it_is),
		CASE(many_objects_become_a_pack_and_are_read_from_it),
		CASE(large_files_stay_loose),
		CASE(many_packs_become_one),
		CASE(many_branches_become_lines),
		CASE(what_nothing_leads_to_goes_when_it_is_old),
		CASE(an_upload_keeps_all_that_is_there),
		CASE(what_is_uploaded_again_is_young_again),
		CASE(commits_go_on_meanwhile_and_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
