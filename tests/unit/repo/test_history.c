#include "temp.h"

#include <pthread.h>

#include "repo/history.h"

enum { MAX = 1000 };

/* A history with merges, made by git with the dates that are given here. */
static void commit_at(struct temp *temp, const char *branch, const char *const *parents,
		      int seconds)
{
	owned(str_done) struct str out = str_new(1000);
	owned(free) char *ref = mem_format("refs/heads/%s", branch);
	owned(free) char *date = mem_format("user.name=t%d", seconds);
	owned(free) char *when = mem_format("@%d +0000", 2000000000 + seconds);
	const char *words[16] = {"-c",          date,          "-c", "user.email=t",
				 "commit-tree", "main^{tree}", "-m", branch};
	size_t count = 8;

	for (; *parents; parents++) {
		words[count++] = "-p";
		words[count++] = *parents;
	}
	assert_int_equal(setenv("GIT_COMMITTER_DATE", when, 1), 0);
	assert_int_equal(setenv("GIT_AUTHOR_DATE", when, 1), 0);
	temp_git(temp, words, &out);
	owned(free) char *id = str_take(&out);
	temp_git(temp, (const char *[]){"update-ref", ref, id, NULL}, &out);
}

static void expect_as_git_log(struct temp *temp, struct history_memory *histories, const char *rev,
			      size_t max)
{
	owned(history_unref) struct history *history = NULL;
	owned(str_done) struct str expected = str_new(1 << 20);
	owned(str_done) struct str got = str_new(1 << 20);
	owned(free) char *count = mem_format("-%zu", max);
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	temp_git(temp, (const char *[]){"log", count, "--format=%H", rev, NULL}, &expected);
	temp_ok(git_resolve(temp->git, rev, commit, &err), &err);
	temp_ok(history_of(histories, temp->git, commit, max, &history, &err), &err);
	for (size_t i = 0; i < history_count(history); i++) {
		history_at(history, i, commit);
		str_addf(&got, "%s%s", i ? "\n" : "", commit);
	}
	assert_string_equal(got.data, expected.data);
}

/* Two lines that grow side by side, are joined, and go on. */
static void make_merges(struct temp *temp)
{
	commit_at(temp, "a", (const char *[]){"main", NULL}, 10);
	commit_at(temp, "b", (const char *[]){"main", NULL}, 20);
	commit_at(temp, "a", (const char *[]){"a", NULL}, 30);
	commit_at(temp, "b", (const char *[]){"b", NULL}, 40);
	commit_at(temp, "m", (const char *[]){"a", "b", NULL}, 50);
	commit_at(temp, "m", (const char *[]){"m", NULL}, 60);
}

static void goes_as_git_log_does(void **state)
{
	struct temp *temp = *state;
	owned(history_memory_free) struct history_memory *histories = history_memory_new(1 << 20);

	make_merges(temp);
	static const char *const revs[] = {"main", "a", "b", "m", "m"};
	for (size_t i = 0; i < sizeof(revs) / sizeof(revs[0]); i++)
		expect_as_git_log(temp, histories, revs[i], MAX);
}

static void goes_on_from_what_it_remembers(void **state)
{
	struct temp *temp = *state;
	owned(history_memory_free) struct history_memory *histories = history_memory_new(1 << 20);

	make_merges(temp);
	expect_as_git_log(temp, histories, "m", MAX);
	for (int i = 1; i < 4; i++) {
		commit_at(temp, "m", (const char *[]){"m", NULL}, 60 + i);
		commit_at(temp, "m", (const char *[]){"m", NULL}, 70 + i);
		expect_as_git_log(temp, histories, "m", MAX);
	}
	/* A merge of what it knows with what it does not. */
	commit_at(temp, "m", (const char *[]){"m", "main", NULL}, 90);
	expect_as_git_log(temp, histories, "m", MAX);
	expect_as_git_log(temp, histories, "a", MAX);
}

static void tells_when_there_is_more(void **state)
{
	struct temp *temp = *state;
	owned(history_memory_free) struct history_memory *histories = history_memory_new(1 << 20);
	owned(history_unref) struct history *history = NULL;
	owned(history_unref) struct history *grown = NULL;
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	make_merges(temp);
	temp_ok(git_resolve(temp->git, "m", commit, &err), &err);
	temp_ok(history_of(histories, temp->git, commit, 3, &history, &err), &err);
	assert_int_equal(history_count(history), 3);
	assert_false(history_is_whole(history));
	commit_at(temp, "m", (const char *[]){"m", NULL}, 70);
	temp_ok(git_resolve(temp->git, "m", commit, &err), &err);
	temp_ok(history_of(histories, temp->git, commit, 3, &grown, &err), &err);
	assert_int_equal(history_count(grown), 3);
	assert_false(history_is_whole(grown));
	expect_as_git_log(temp, histories, "m", 3);
}

static void remembers_no_more_than_it_may(void **state)
{
	struct temp *temp = *state;
	owned(history_memory_free) struct history_memory *none = history_memory_new(0);
	owned(history_memory_free) struct history_memory *few = history_memory_new(900);

	make_merges(temp);
	for (int i = 0; i < 3; i++) {
		expect_as_git_log(temp, none, "m", MAX);
		expect_as_git_log(temp, few, "m", MAX);
		expect_as_git_log(temp, few, "a", MAX);
	}
}

struct asker {
	struct temp *temp;
	struct history_memory *memory;
};

/* All three heads, again and again, with a handle of its own. */
static void *ask_often(void *arg)
{
	static const char *const revs[] = {"m", "a", "b"};
	static const size_t counts[] = {7, 3, 3};
	const struct asker *asker = arg;
	owned(git_close) struct git *git = NULL;
	char commit[GIT_HEX];
	struct err err = ERR_INIT;

	if (git_open(asker->temp->path, &git, &err) < 0)
		return "can't open";
	for (size_t i = 0; i < 150; i++) {
		owned(history_unref) struct history *history = NULL;

		if (git_resolve(git, revs[i % 3], commit, &err) < 0 ||
		    history_of(asker->memory, git, commit, MAX, &history, &err) < 0)
			return "can't walk";
		if (history_count(history) != counts[i % 3])
			return "wrong count";
	}
	return NULL;
}

static void threads_may_ask_at_once(void **state)
{
	struct temp *temp = *state;
	owned(history_memory_free) struct history_memory *memory = history_memory_new(1000);
	struct asker asker = {.temp = temp, .memory = memory};
	pthread_t threads[4];

	make_merges(temp);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &asker), 0);
	for (size_t i = 0; i < 4; i++) {
		void *failure;

		pthread_join(threads[i], &failure);
		assert_null(failure);
	}
}

static void needs_a_commit(void **state)
{
	struct temp *temp = *state;
	owned(history_memory_free) struct history_memory *histories = history_memory_new(1 << 20);
	struct history *history;
	struct err err = ERR_INIT;

	assert_int_equal(history_of(histories, temp->git, "main", MAX, &history, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REVISION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_TEST(goes_as_git_log_does),     TEMP_TEST(goes_on_from_what_it_remembers),
		TEMP_TEST(tells_when_there_is_more), TEMP_TEST(remembers_no_more_than_it_may),
		TEMP_TEST(threads_may_ask_at_once),  TEMP_TEST(needs_a_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
