#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "repo/change.h"
#include "space/digest.h"

static const struct change_meta meta = {.title = "t", .author = "me"};

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* A repository in the world's folder whose first commit has this README; NULL for none. */
static struct git *make_git(struct world *world, const char *readme)
{
	owned(free) char *path = mem_format("%s/r.git", world->path);
	const struct change_seed files[] = {{"a.txt", "a"}, {"README.md", readme}};
	struct err err = ERR_INIT;
	char commit[GIT_HEX];
	struct git *git;

	world_ok(git_init(path, &err), &err);
	world_ok(git_open(path, &git, &err), &err);
	world_ok(change_seed(git, files, readme ? 2 : 1, &meta, commit, &err), &err);
	return git;
}

static void push(struct git *git, const char *path, const char *text, char commit[static GIT_HEX])
{
	owned(change_end) struct change *change = NULL;
	struct err err = ERR_INIT;
	bool moved;

	world_ok(change_begin(git, "main", &change, &err), &err);
	world_ok(change_file_open(change, &err), &err);
	world_ok(change_file_data(change, text, strlen(text), &err), &err);
	world_ok(change_file_close(change, path, &err), &err);
	world_ok(change_commit(change, &meta, commit, &moved, &err), &err);
}

/* The tags of a README. For free(). */
static char *tags_of(struct world *world, enum repo_type type, const char *readme)
{
	owned(git_close) struct git *git = make_git(world, readme);
	owned(listing_done) struct listing listing = {0};
	const struct repo repo = {.type = type, .sdk = "gradio"};
	struct err err = ERR_INIT;

	world_ok(digest_head(git, &repo, &listing, &err), &err);
	return take(listing.tags);
}

static void tags_of_a_model(void **state)
{
	owned(free) char *tags = tags_of(
		*state, REPO_MODEL,
		"---\nlibrary_name: transformers\npipeline_tag: fill-mask\nlanguage: [en, de]\n"
		"license: mit\ntags: [bert, en, 7, {a: b}, \"\"]\ndatasets: [x/y]\n"
		"base_model: a/b\ntask_categories: [q]\n---\n");

	assert_string_equal(tags, "transformers\nfill-mask\nbert\nen\nde\ndataset:x/y\n"
				  "base_model:a/b\nlicense:mit\nregion:us\n");
}

static void tags_of_a_dataset(void **state)
{
	owned(free) char *tags =
		tags_of(*state, REPO_DATASET,
			"---\ntask_categories: [translation]\nlanguage: en\nlicense: mit\n"
			"size_categories: [1K<n<10K]\ntags: own\npipeline_tag: fill-mask\n---\n");

	assert_string_equal(tags, "task_categories:translation\nown\nlanguage:en\nlicense:mit\n"
				  "size_categories:1K<n<10K\nregion:us\n");
}

static void tags_of_a_space_start_with_its_sdk(void **state)
{
	owned(free) char *tags =
		tags_of(*state, REPO_SPACE, "---\nsdk: docker\ntags: [mcp-server]\n---\n");

	assert_string_equal(tags, "docker\nmcp-server\nregion:us\n");
}

static void the_sdk_of_the_row_stands_where_the_card_has_none(void **state)
{
	owned(free) char *tags = tags_of(*state, REPO_SPACE, "---\nsdk: basic\n---\n");

	assert_string_equal(tags, "gradio\nregion:us\n");
}

static void hostile_tags_are_none(void **state)
{
	owned(str_done) struct str readme = str_new(60000);
	owned(free) char *tags = NULL;
	size_t lines = 0;

	str_add(&readme, "---\ntags:\n- \"two\\nlines\"\n- \"\\a\"\n- ");
	for (int i = 0; i < 200; i++)
		str_add_char(&readme, 'x');
	for (int i = 0; i < 1000; i++)
		str_addf(&readme, "\n- t%d", i);
	str_add(&readme, "\n---\n");
	tags = tags_of(*state, REPO_MODEL, readme.data);
	assert_int_equal(strncmp(tags, "t0\nt1\n", 6), 0);
	for (const char *at = tags; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, DIGEST_TAGS_MAX + 1);
	assert_non_null(strstr(tags, "\nt199\nregion:us\n"));
}

static void no_card_is_an_empty_one(void **state)
{
	static const char *const readmes[] = {"hello", "---\na: &a [x]\nb: [*a]\n---\n",
					      "---\n- a\n---\n"};
	const struct repo repo = {.type = REPO_SPACE, .sdk = "static"};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 3; i++) {
		owned(git_close) struct git *git = i ? NULL : make_git(*state, NULL);
		owned(listing_done) struct listing listing = {0};
		owned(free) char *path = mem_format("%s/r.git", ((struct world *)*state)->path);
		char commit[GIT_HEX];

		if (!git)
			world_ok(git_open(path, &git, &err), &err);
		push(git, "README.md", readmes[i], commit);
		world_ok(digest_head(git, &repo, &listing, &err), &err);
		assert_string_equal(listing.head, commit);
		assert_string_equal(listing.card, "{}");
		assert_string_equal(listing.title, "");
		assert_string_equal(listing.tags, "static\nregion:us\n");
	}
}

static bool write_rows(struct world *world, struct git *git, const struct repo *repo,
		       struct listing *listing)
{
	struct store_tx *tx = world_begin(world);
	struct err err = ERR_INIT;
	bool told = false;

	world_ok(digest_write(store_tx_db(tx), git, repo, listing, &told, &err), &err);
	world_commit(tx);
	return told;
}

/* world_space() has no row of the repository. */
static struct repo add_space(struct world *world)
{
	struct repo repo = world_repo("demo");
	const struct space_setup space = {.sdk = "gradio"};
	struct store_tx *tx = world_begin(world);
	struct err err = ERR_INIT;

	world_ok(repo_add(store_tx_db(tx), &repo, &err), &err);
	world_ok(space_add(store_tx_db(tx), &repo, &space, &err), &err);
	world_commit(tx);
	return repo;
}

/* Another push may come between reading and writing: its rows must not be undone. */
static void a_newer_head_wins(void **state)
{
	struct world *world = *state;
	owned(git_close) struct git *git = make_git(world, "---\nsdk: gradio\n---\n");
	owned(listing_done) struct listing listing = {0};
	owned(listing_done) struct listing found = {0};
	struct repo repo = add_space(world);
	struct store_tx *tx;
	struct err err = ERR_INIT;
	char head[GIT_HEX];

	world_ok(digest_head(git, &repo, &listing, &err), &err);
	push(git, "README.md", "---\nsdk: static\ntitle: Hi\nmodels: [a/b]\n---\n", head);
	assert_true(write_rows(world, git, &repo, &listing));
	tx = world_begin(world);
	assert_int_equal(listing_find(store_tx_db(tx), repo.id, &found, &err), 1);
	world_commit(tx);
	assert_string_equal(found.head, head);
	assert_string_equal(found.title, "Hi");
	assert_string_equal(found.sdk, "static");
	assert_string_equal(found.links, "model:a/b\n");
	assert_string_equal(world_get(world, repo.id).commit, head);
}

static void a_space_hears_of_its_first_push_and_of_each_once(void **state)
{
	struct world *world = *state;
	owned(git_close) struct git *git = make_git(world, "---\nsdk: gradio\n---\n");
	owned(listing_done) struct listing listing = {0};
	struct repo repo = add_space(world);
	char head[GIT_HEX];

	assert_false(write_rows(world, git, &repo, &listing));
	assert_string_equal(world_get(world, repo.id).commit, "");
	push(git, "app.py", "x", head);
	assert_true(write_rows(world, git, &repo, &listing));
	assert_string_equal(world_get(world, repo.id).commit, head);
	assert_false(write_rows(world, git, &repo, &listing));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(tags_of_a_model),
		TEST(tags_of_a_dataset),
		TEST(tags_of_a_space_start_with_its_sdk),
		TEST(the_sdk_of_the_row_stands_where_the_card_has_none),
		TEST(hostile_tags_are_none),
		TEST(no_card_is_an_empty_one),
		TEST(a_newer_head_wins),
		TEST(a_space_hears_of_its_first_push_and_of_each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
