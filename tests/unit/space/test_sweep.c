#include "world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "repo/change.h"
#include "repo/listing.h"
#include "space/digest.h"
#include "space/sweep.h"

static const struct change_meta meta = {.title = "t", .author = "me"};

struct stage_set {
	struct world *world;
	struct datadir dir;
	int64_t woken; /* the last one */
};

static int setup(void **state)
{
	struct stage_set *set = mem_new(struct stage_set);
	struct err err = ERR_INIT;

	set->world = world_new();
	set->dir.path = set->world->path;
	set->dir.fd = open(set->world->path, O_DIRECTORY | O_CLOEXEC);
	world_ok(file_make_dirs(set->dir.fd, "repos", 0700, &err), &err);
	*state = set;
	return 0;
}

static int teardown(void **state)
{
	struct stage_set *set = *state;

	close(set->dir.fd);
	world_free(set->world);
	free(set);
	return 0;
}

static void woken(void *arg, int64_t repo_id)
{
	((struct stage_set *)arg)->woken = repo_id;
}

/* A Space with its repository, and a listing if it is `listed`. */
static struct repo add_space(struct stage_set *set, const char *name, bool listed)
{
	const struct change_seed file = {"README.md", "---\nsdk: gradio\n---\n"};
	const struct space_setup space = {.sdk = "gradio"};
	owned(listing_done) struct listing listing = {0};
	owned(git_close) struct git *git = NULL;
	owned(free) char *path = NULL;
	struct store_tx *tx = world_begin(set->world);
	struct repo repo = world_repo(name);
	struct err err = ERR_INIT;
	char commit[GIT_HEX];
	bool told;

	world_ok(repo_add(store_tx_db(tx), &repo, &err), &err);
	world_ok(space_add(store_tx_db(tx), &repo, &space, &err), &err);
	path = mem_format("%s/repos/%s.git", set->world->path, repo.hex);
	world_ok(git_init(path, &err), &err);
	world_ok(git_open(path, &git, &err), &err);
	world_ok(change_seed(git, &file, 1, &meta, commit, &err), &err);
	if (listed)
		world_ok(digest_write(store_tx_db(tx), git, &repo, &listing, &told, &err), &err);
	world_commit(tx);
	return repo;
}

/* A push of which nobody has told. */
static void push(struct stage_set *set, const struct repo *repo, char commit[static GIT_HEX])
{
	static const char text[] = "---\ntitle: New\ntags: [pushed]\n---\n";
	owned(free) char *path = mem_format("%s/repos/%s.git", set->world->path, repo->hex);
	owned(change_end) struct change *change = NULL;
	owned(git_close) struct git *git = NULL;
	struct err err = ERR_INIT;
	bool moved;

	world_ok(git_open(path, &git, &err), &err);
	world_ok(change_begin(git, "main", &change, &err), &err);
	world_ok(change_file_open(change, &err), &err);
	world_ok(change_file_data(change, text, strlen(text), &err), &err);
	world_ok(change_file_close(change, "README.md", &err), &err);
	world_ok(change_commit(change, &meta, commit, &moved, &err), &err);
}

static int64_t sweep(struct stage_set *set)
{
	struct err err = ERR_INIT;
	int64_t written;

	set->woken = 0;
	world_ok(sweep_all(&(struct sweep_config){.store = set->world->store,
						  .dir = &set->dir,
						  .wake = woken,
						  .arg = set},
			   &written, &err),
		 &err);
	return written;
}

static void expect_listing(struct stage_set *set, const struct repo *repo, const char *title,
			   const char *head)
{
	owned(listing_done) struct listing found = {0};
	struct store_tx *tx = world_begin(set->world);
	struct err err = ERR_INIT;

	assert_int_equal(listing_find(store_tx_db(tx), repo->id, &found, &err), 1);
	assert_string_equal(found.title, title);
	if (head)
		assert_string_equal(found.head, head);
	world_commit(tx);
}

static void what_is_right_is_left_alone(void **state)
{
	struct stage_set *set = *state;
	struct repo repo = add_space(set, "demo", true);

	assert_int_equal(sweep(set), 0);
	assert_int_equal(set->woken, 0);
	expect_listing(set, &repo, "", NULL);
}

static void a_push_that_was_not_told_is_told(void **state)
{
	struct stage_set *set = *state;
	struct repo other = add_space(set, "other", true);
	struct repo repo = add_space(set, "demo", true);
	char head[GIT_HEX];

	push(set, &repo, head);
	assert_int_equal(sweep(set), 1);
	assert_int_equal(set->woken, repo.id);
	expect_listing(set, &repo, "New", head);
	expect_listing(set, &other, "", NULL);
	assert_string_equal(world_get(set->world, repo.id).commit, head);
	assert_int_equal(sweep(set), 0);
}

/* A repository of before there were listings: its Space has nothing to hear. */
static void a_missing_listing_is_made(void **state)
{
	struct stage_set *set = *state;
	struct repo repo = add_space(set, "demo", false);

	assert_int_equal(sweep(set), 1);
	assert_int_equal(set->woken, 0);
	expect_listing(set, &repo, "", NULL);
	assert_string_equal(world_get(set->world, repo.id).commit, "");
}

/* As git gc leaves it. */
static void a_packed_branch_counts(void **state)
{
	struct stage_set *set = *state;
	struct repo repo = add_space(set, "demo", true);
	owned(free) char *loose = mem_format("repos/%s.git/refs/heads/main", repo.hex);
	owned(free) char *packed = mem_format("repos/%s.git/packed-refs", repo.hex);
	owned(str_done) struct str text = str_new(1000);
	struct err err = ERR_INIT;
	char head[GIT_HEX];

	push(set, &repo, head);
	assert_int_equal(unlinkat(set->dir.fd, loose, 0), 0);
	str_addf(&text, "# pack-refs with: peeled fully-peeled sorted \n%s refs/heads/main\n",
		 head);
	world_ok(file_write(set->dir.fd, packed, text.data, text.length, 0600, &err), &err);
	assert_int_equal(sweep(set), 1);
	expect_listing(set, &repo, "New", head);
	assert_int_equal(sweep(set), 0);
}

static void one_that_is_broken_keeps_no_other_from_its_turn(void **state)
{
	struct stage_set *set = *state;
	struct repo broken = add_space(set, "broken", true);
	struct repo repo = add_space(set, "demo", true);
	owned(free) char *path = mem_format("repos/%s.git", broken.hex);
	struct err err = ERR_INIT;
	char head[GIT_HEX];

	push(set, &repo, head);
	world_ok(file_remove_tree(set->dir.fd, path, &err), &err);
	assert_int_equal(sweep(set), 1);
	expect_listing(set, &repo, "New", head);
}

static void a_thread_of_its_own_can_be_stopped_at_any_time(void **state)
{
	struct stage_set *set = *state;
	owned(catalogue_free) struct catalogue *catalogue = catalogue_new(set->world->store);
	struct sweep *sweep;
	struct err err = ERR_INIT;

	add_space(set, "demo", false);
	world_ok(sweep_start(&(struct sweep_config){.store = set->world->store,
						    .catalogue = catalogue,
						    .dir = &set->dir},
			     &sweep, &err),
		 &err);
	sweep_stop(sweep);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_right_is_left_alone),
		TEST(a_push_that_was_not_told_is_told),
		TEST(a_missing_listing_is_made),
		TEST(a_packed_branch_counts),
		TEST(one_that_is_broken_keeps_no_other_from_its_turn),
		TEST(a_thread_of_its_own_can_be_stopped_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
