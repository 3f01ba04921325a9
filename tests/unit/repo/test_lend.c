#include "temp.h"

#include "repo/lend.h"
#include "repo/refs.h"
#include "repo/tidy.h"
#include "rows.h"

#define SOURCE "aaaaaaaaaaaaaaaaaaaaaaaa"

/* Repositories lie beside each other as in a data directory. */
static char *place(const struct temp *temp, const char *hex)
{
	return mem_format("%s/%s.git", temp->folder, hex);
}

/* The temporary repository under the name of an id. */
static int setup(void **state)
{
	struct err err = ERR_INIT;

	temp_setup(state);
	struct temp *temp = *state;
	owned(free) char *path = place(temp, SOURCE);
	git_close(take(temp->git));
	assert_int_equal(rename(temp->path, path), 0);
	snprintf(temp->path, sizeof(temp->path), "%s", path);
	temp_ok(git_open(temp->path, &temp->git, &err), &err);
	return 0;
}

/* A number as an id. */
static char *id_of(unsigned number)
{
	return mem_format("%024x", number);
}

/* Duplicate what `from` has; *out is the duplicate, as `temp` is. */
static void duplicate(struct temp *from, const char *hex, unsigned number, struct temp *out)
{
	owned(lend_done) struct lend lend = LEND_INIT;
	owned(free) char *id = id_of(number);
	owned(free) char *path = place(from, id);
	struct err err = ERR_INIT;

	*out = *from;
	snprintf(out->path, sizeof(out->path), "%s", path);
	temp_ok(lend_make(from->git, hex, path, &lend, &err), &err);
	temp_ok(git_open(path, &out->git, &err), &err);
}

static void commit_file(struct temp *temp, const char *path, const char *text)
{
	struct change *change = temp_begin(temp);
	char commit[GIT_HEX];

	temp_put(change, path, text);
	assert_true(temp_commit(change, commit));
	change_end(change);
}

static void check(struct temp *temp)
{
	owned(str_done) struct str output = str_new(1 << 16);

	/* Borrowed objects that nothing here leads to are dangling, and right. */
	temp_git(temp,
		 (const char *[]){"fsck", "--strict", "--full", "--no-progress", "--no-dangling",
				  NULL},
		 &output);
	assert_string_equal(output.data, "");
}

static void a_duplicate_has_all_files_and_no_object(void **state)
{
	owned(str_done) struct str output = str_new(4096);
	struct temp copy;

	duplicate(*state, SOURCE, 1, &copy);
	temp_text(&copy, "dir/two.txt", "22");
	check(&copy);
	temp_git(&copy, (const char *[]){"count-objects", NULL}, &output);
	assert_string_equal(output.data, "0 objects, 0 kilobytes");
	git_close(copy.git);
}

static void branches_and_tags_come_along(void **state)
{
	owned(str_done) struct str output = str_new(4096);
	struct temp *temp = *state;
	struct err err = ERR_INIT;
	struct temp copy;

	temp_ok(refs_make_branch(temp->git, "side/way", temp->first, false, &err), &err);
	temp_git(temp,
		 (const char *[]){"-c", "user.name=a", "-c", "user.email=a@b", "tag", "-m", "one",
				  "v1", NULL},
		 &output);
	duplicate(temp, SOURCE, 1, &copy);
	str_cut(&output, 0);
	temp_git(&copy, (const char *[]){"for-each-ref", "--format=%(refname)", NULL}, &output);
	assert_string_equal(output.data, "refs/heads/main\nrefs/heads/side/way\nrefs/tags/v1");
	check(&copy);
	git_close(copy.git);
}

static void both_go_their_own_way(void **state)
{
	struct temp *temp = *state;
	struct temp copy;

	duplicate(temp, SOURCE, 1, &copy);
	commit_file(&copy, "README.md", "mine");
	commit_file(temp, "README.md", "theirs");
	temp_text(&copy, "README.md", "mine");
	temp_text(&copy, "dir/one.txt", "1");
	temp_text(temp, "README.md", "theirs");
	check(&copy);
	check(temp);
	git_close(copy.git);
}

static int lent_to_somebody(void *arg, struct err *err)
{
	(void)err;
	return *(int *)arg;
}

/* Only what the duplicate has: the source's main begins anew, and all of it is old enough. */
static void what_is_lent_is_not_pruned(void **state)
{
	struct temp *temp = *state;
	int answer = 1;
	const struct tidy tidy = {.path = temp->path,
				  .loose_many = 1000,
				  .packs_many = 1000,
				  .is_lent = lent_to_somebody,
				  .arg = &answer};
	owned(str_done) struct str output = str_new(4096);
	struct err err = ERR_INIT;
	struct temp copy;
	int64_t freed;

	duplicate(temp, SOURCE, 1, &copy);
	commit_file(temp, "new.txt", "new");
	temp_git(temp, (const char *[]){"update-ref", "-d", "refs/heads/main", NULL}, &output);
	temp_ok(tidy_repo(&tidy, &freed, &err), &err);
	temp_text(&copy, "README.md", "hello");
	check(&copy);

	answer = 0;
	temp_ok(tidy_repo(&tidy, &freed, &err), &err);
	assert_true(freed > 0);
	git_close(copy.git);
}

/* Packing a duplicate leaves what is borrowed where it is. */
static void a_duplicate_packs_its_own(void **state)
{
	const struct tidy tidy = {.keep_s = 86400, .loose_many = 1, .packs_many = 1};
	owned(str_done) struct str output = str_new(4096);
	struct tidy how = tidy;
	struct err err = ERR_INIT;
	struct temp copy;
	int64_t freed;

	duplicate(*state, SOURCE, 1, &copy);
	commit_file(&copy, "own.txt", "own");
	how.path = copy.path;
	temp_ok(tidy_repo(&how, &freed, &err), &err);
	temp_git(&copy, (const char *[]){"count-objects", "-v", NULL}, &output);
	assert_non_null(strstr(output.data, "count: 0\n"));
	assert_non_null(strstr(output.data, "in-pack: 3\n")); /* a commit, a tree, a file */
	temp_text(&copy, "own.txt", "own");
	temp_text(&copy, "README.md", "hello");
	git_close(copy.git);
}

/* An untouched one has nothing to lend itself: its duplicates borrow from the first alone. */
static void duplicates_of_untouched_duplicates_have_one_lender(void **state)
{
	owned(lend_done) struct lend lend = LEND_INIT;
	struct temp *temp = *state;
	owned(free) char *first = id_of(1);
	owned(free) char *path = place(temp, "second");
	struct err err = ERR_INIT;
	struct temp copy;

	duplicate(temp, SOURCE, 1, &copy);
	temp_ok(lend_make(copy.git, first, path, &lend, &err), &err);
	assert_int_equal(lend.count, 1);
	assert_string_equal(lend.lenders[0], SOURCE);
	git_close(copy.git);
}

static void a_chain_of_changed_duplicates_has_an_end(void **state)
{
	owned(lend_done) struct lend lend = LEND_INIT;
	struct temp last = *(struct temp *)*state;
	owned(free) char *hex = mem_text(SOURCE);
	owned(free) char *beyond = place(&last, "beyond");
	struct temp *temp = *state;
	struct err err = ERR_INIT;

	for (unsigned i = 1; i <= LEND_MAX; i++) {
		owned(free) char *text = id_of(i);
		struct temp next;

		duplicate(&last, hex, i, &next);
		commit_file(&next, "README.md", text);
		if (last.git != temp->git)
			git_close(last.git);
		free(hex);
		hex = mem_text(text);
		last = next;
	}
	temp_text(&last, "README.md", hex);
	temp_text(&last, "dir/one.txt", "1"); /* of the very first */
	check(&last);
	assert_int_equal(lend_make(last.git, hex, beyond, &lend, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	git_close(last.git);
}

/* --- rows --- */

static void a_deleted_lender_is_free_when_the_last_borrower_is_gone(void **state)
{
	struct lend lend = {.count = 1, .held = -1};
	struct rows *rows = *state;
	int64_t first =
		rows_add(rows, &(struct repo){.owner_id = ROWS_ADA, .name = "one"}, NULL, 0);
	int64_t second =
		rows_add(rows, &(struct repo){.owner_id = ROWS_ADA, .name = "two"}, NULL, 0);
	owned(store_tx_end) struct store_tx *tx = NULL;
	char hex[ID_HEX] = "";
	struct err err = ERR_INIT;
	struct store_db *db;

	memcpy(lend.lenders[0], SOURCE, sizeof(SOURCE));
	rows_ok(store_tx_begin(rows->store, &tx, &err), &err);
	db = store_tx_db(tx);
	assert_int_equal(lend_is_lent(db, SOURCE, &err), 0);
	rows_ok(lend_add(db, first, &lend, &err), &err);
	rows_ok(lend_add(db, second, &lend, &err), &err);
	rows_ok(lend_keep(db, SOURCE, &err), &err);
	rows_ok(repo_remove(db, first, &err), &err);
	assert_int_equal(lend_is_lent(db, SOURCE, &err), 1);
	assert_int_equal(lend_next_free(db, hex, &err), 0);
	rows_ok(repo_remove(db, second, &err), &err);
	assert_int_equal(lend_next_free(db, hex, &err), 1);
	assert_string_equal(hex, SOURCE);
	rows_ok(lend_forget(db, hex, &err), &err);
	assert_int_equal(lend_next_free(db, hex, &err), 0);
}

#define LEND_TEST(test) cmocka_unit_test_setup_teardown(test, setup, temp_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEND_TEST(a_duplicate_has_all_files_and_no_object),
		LEND_TEST(branches_and_tags_come_along),
		LEND_TEST(both_go_their_own_way),
		LEND_TEST(what_is_lent_is_not_pruned),
		LEND_TEST(a_duplicate_packs_its_own),
		LEND_TEST(duplicates_of_untouched_duplicates_have_one_lender),
		LEND_TEST(a_chain_of_changed_duplicates_has_an_end),
		cmocka_unit_test_setup_teardown(
			a_deleted_lender_is_free_when_the_last_borrower_is_gone, rows_setup,
			rows_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
