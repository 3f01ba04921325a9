#include "repo/repo.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"

struct fixture {
	char folder[32];
	struct store *store;
};

static void ok(int rc, const struct err *err)
{
	if (rc < 0)
		fail_msg("%s", err->text);
}

static void add_account(struct store_db *db, const char *name)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "INSERT INTO accounts (hex, type, name, created_ms) VALUES (?, 'user', ?, 1)");
	struct err err = ERR_INIT;

	store_bind_text(query, name);
	store_bind_text(query, name);
	ok(store_step(query, &err), &err);
}

static int setup(void **state)
{
	struct fixture *fixture = mem_new(struct fixture);
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	memcpy(fixture->folder, "/tmp/espace-rows-XXXXXX", 24);
	assert_non_null(mkdtemp(fixture->folder));
	owned(free) char *path = mem_format("%s/espace.db", fixture->folder);
	ok(store_open(path, &fixture->store, &err), &err);
	ok(store_tx_begin(fixture->store, &tx, &err), &err);
	add_account(store_tx_db(tx), "me");
	add_account(store_tx_db(tx), "Acme");
	ok(store_tx_commit(tx, &err), &err);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct err err = ERR_INIT;

	store_close(fixture->store);
	ok(file_remove_tree(AT_FDCWD, fixture->folder, &err), &err);
	free(fixture);
	return 0;
}

/* A row of owner 2, which is Acme. */
static struct repo wanted(enum repo_type type, const char *name)
{
	struct repo repo = {.type = type,
			    .owner_id = 2,
			    .owner = "Acme",
			    .creator_id = 1,
			    .is_private = true,
			    .is_protected = type == REPO_SPACE,
			    .sdk = "gradio"};

	snprintf(repo.name, sizeof(repo.name), "%s", name);
	return repo;
}

static void finds_what_was_added(void **state)
{
	struct fixture *fixture = *state;
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct repo repo = wanted(REPO_SPACE, "Demo"), found;
	struct err err = ERR_INIT;

	ok(store_tx_begin(fixture->store, &tx, &err), &err);
	struct store_db *db = store_tx_db(tx);
	ok(repo_add(db, &repo, &err), &err);
	assert_int_equal(strlen(repo.hex), 24);
	assert_string_equal(repo.full_name, "Acme/Demo");
	assert_true(repo.created_ms > 0);
	assert_int_equal(repo_find(db, REPO_SPACE, "acme/DEMO", &found, &err), 1);
	assert_int_equal(found.id, repo.id);
	assert_string_equal(found.hex, repo.hex);
	assert_string_equal(found.full_name, "Acme/Demo");
	assert_int_equal(found.type, REPO_SPACE);
	assert_int_equal(found.owner_id, 2);
	assert_int_equal(found.creator_id, 1);
	assert_true(found.is_private);
	assert_true(found.is_protected);
	assert_string_equal(found.gated, "");
	assert_string_equal(found.sdk, "gradio");
	assert_int_equal(repo_by_id(db, repo.id, &found, &err), 1);
	assert_string_equal(found.name, "Demo");
}

static void counts_those_that_may_be_seen(void **state)
{
	struct fixture *fixture = *state;
	owned(store_tx_end) struct store_tx *tx = NULL;
	const struct store_condition all = {"(1)", 0, {0}};
	const struct store_condition of_one = {"r.id = ?", 1, {2}};
	struct repo repos[] = {wanted(REPO_SPACE, "a"), wanted(REPO_SPACE, "b"),
			       wanted(REPO_MODEL, "a")};
	struct repo_counts counts;
	struct err err = ERR_INIT;

	ok(store_tx_begin(fixture->store, &tx, &err), &err);
	struct store_db *db = store_tx_db(tx);
	for (size_t i = 0; i < 3; i++)
		ok(repo_add(db, &repos[i], &err), &err);
	ok(repo_count(db, 2, &all, &counts, &err), &err);
	assert_int_equal(counts.of[REPO_SPACE], 2);
	assert_int_equal(counts.of[REPO_MODEL], 1);
	assert_int_equal(counts.of[REPO_DATASET], 0);
	ok(repo_count(db, 2, &of_one, &counts, &err), &err);
	assert_int_equal(counts.of[REPO_SPACE], 1);
	assert_int_equal(counts.of[REPO_MODEL], 0);
	ok(repo_count(db, 1, &all, &counts, &err), &err);
	assert_int_equal(counts.of[REPO_SPACE], 0);
}

static void keeps_who_may_see_it(void **state)
{
	struct fixture *fixture = *state;
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct repo repo = wanted(REPO_SPACE, "a"), found;
	struct err err = ERR_INIT;

	ok(store_tx_begin(fixture->store, &tx, &err), &err);
	ok(repo_add(store_tx_db(tx), &repo, &err), &err);
	repo.is_private = repo.is_protected = false;
	snprintf(repo.gated, sizeof(repo.gated), "manual");
	ok(repo_set_access(store_tx_db(tx), &repo, &err), &err);
	assert_int_equal(repo_by_id(store_tx_db(tx), repo.id, &found, &err), 1);
	assert_false(found.is_private);
	assert_false(found.is_protected);
	assert_string_equal(found.gated, "manual");
}

static void finds_nothing_else(void **state)
{
	struct fixture *fixture = *state;
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct repo repo = wanted(REPO_SPACE, "demo"), found;
	struct err err = ERR_INIT;
	static const char *const names[] = {"me/demo",     "acme/dem", "demo",  "",
					    "acme/demo/x", "/demo",    "acme/", "acme/%"};

	ok(store_tx_begin(fixture->store, &tx, &err), &err);
	struct store_db *db = store_tx_db(tx);
	ok(repo_add(db, &repo, &err), &err);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(repo_find(db, REPO_SPACE, names[i], &found, &err), 0);
	assert_int_equal(repo_find(db, REPO_MODEL, "acme/demo", &found, &err), 0);
	assert_int_equal(repo_by_id(db, repo.id + 1, &found, &err), 0);
	owned(free) char *long_name = mem_alloc(1000);
	memset(long_name, 'a', 999);
	long_name[500] = '/';
	assert_int_equal(repo_find(db, REPO_SPACE, long_name, &found, &err), 0);
}

static void refuses_a_name_twice_whatever_its_case(void **state)
{
	struct fixture *fixture = *state;
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct repo repo = wanted(REPO_SPACE, "demo");
	struct repo same = wanted(REPO_SPACE, "DEMO");
	struct repo model = wanted(REPO_MODEL, "demo");
	struct err err = ERR_INIT;

	ok(store_tx_begin(fixture->store, &tx, &err), &err);
	ok(repo_add(store_tx_db(tx), &repo, &err), &err);
	assert_int_equal(repo_add(store_tx_db(tx), &same, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_string_equal(err.text, "the space Acme/DEMO exists already");
	ok(repo_add(store_tx_db(tx), &model, &err), &err);
}

static void touches_and_removes(void **state)
{
	struct fixture *fixture = *state;
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct repo repo = wanted(REPO_DATASET, "d"), found;
	struct err err = ERR_INIT;

	ok(store_tx_begin(fixture->store, &tx, &err), &err);
	struct store_db *db = store_tx_db(tx);
	ok(repo_add(db, &repo, &err), &err);
	ok(repo_touch(db, repo.id, 12345, &err), &err);
	assert_int_equal(repo_by_id(db, repo.id, &found, &err), 1);
	assert_int_equal(found.modified_ms, 12345);
	ok(repo_remove(db, repo.id, &err), &err);
	assert_int_equal(repo_by_id(db, repo.id, &found, &err), 0);
}

static void names_types_as_the_wire_does(void **state)
{
	enum repo_type type;
	struct err err = ERR_INIT;

	for (int i = REPO_MODEL; i <= REPO_SPACE; i++) {
		ok(repo_type_parse(repo_type_name(i), &type, &err), &err);
		assert_int_equal(type, i);
	}
	ok(repo_type_parse(NULL, &type, &err), &err);
	assert_int_equal(type, REPO_MODEL);
	assert_string_equal(repo_type_plural(REPO_DATASET), "datasets");
	assert_string_equal(repo_type_prefix(REPO_MODEL), "");
	assert_string_equal(repo_type_prefix(REPO_SPACE), "spaces/");
	assert_int_equal(repo_type_parse("bucket", &type, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_what_was_added, setup, teardown),
		cmocka_unit_test_setup_teardown(counts_those_that_may_be_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_who_may_see_it, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_nothing_else, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_name_twice_whatever_its_case, setup,
						teardown),
		cmocka_unit_test_setup_teardown(touches_and_removes, setup, teardown),
		cmocka_unit_test(names_types_as_the_wire_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
