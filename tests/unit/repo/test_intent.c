#include "temp.h"

#include <sys/stat.h>
#include <unistd.h>

#include "repo/intent.h"
#include "repo/refs.h"

#define HEX "0123456789abcdef01234567"

/* A data directory with one repository, which temp.h has made beside. */
struct place {
	struct temp *temp;
	struct datadir dir;
	struct store *store;
};

static void change(const struct place *place, const char *sql)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	temp_ok(store_tx_begin(place->store, &tx, &err), &err);
	owned(store_query_end) struct store_query *query = store_query(store_tx_db(tx), sql);
	temp_ok(store_step(query, &err), &err);
	temp_ok(store_tx_commit(take(tx), &err), &err);
}

static void begin(void **state, struct place *place)
{
	struct temp *temp = *state;
	owned(free) char *database = mem_format("%s/espace.db", temp->folder);
	owned(free) char *link = mem_format("%s/repos/" HEX ".git", temp->folder);
	struct err err = ERR_INIT;

	*place = (struct place){.temp = temp, .dir = {.path = temp->folder}};
	place->dir.fd = open(temp->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	temp_ok(file_make_dirs(place->dir.fd, "repos", 0700, &err), &err);
	assert_int_equal(symlink(temp->path, link), 0);
	temp_ok(store_open(database, &place->store, &err), &err);
	change(place, "INSERT INTO accounts (id, hex, type, name, created_ms)"
		      " VALUES (1, 'a', 'user', 'me', 1)");
	change(place,
	       "INSERT INTO repos (id, hex, type, owner_id, name, is_private, creator_id,"
	       " created_ms, modified_ms) VALUES (5, '" HEX "', 'model', 1, 'm', 0, 1, 1, 1)");
}

static void end(struct place *place)
{
	store_close(place->store);
	close(place->dir.fd);
}

/* As a call does before git's turn. */
static int64_t intend(const struct place *place, const char *ref, const char *old)
{
	const struct audit_who who = {.actor_id = 1, .actor = "me", .via = "POST /branch"};
	const struct audit_entry entry = {
		.who = &who, .action = "branch.create", .target = "models/me/m", .detail = "dev 1"};
	const struct intent intent = {.repo_id = 5, .ref = ref, .old = old};
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;
	int64_t id = 0;

	temp_ok(store_tx_begin(place->store, &tx, &err), &err);
	temp_ok(intent_add(store_tx_db(tx), &intent, &entry, &id, &err), &err);
	temp_ok(store_tx_commit(take(tx), &err), &err);
	return id;
}

static void add_row(void *arg, const struct audit_row *row)
{
	str_addf(arg, "%s %s %s %s %s;", row->who.actor, row->who.via, row->action, row->target,
		 row->detail);
}

/* The rows that settling has written, as text. */
static void expect_settled(const struct place *place, size_t count, const char *expected)
{
	const struct audit_query all = {0};
	owned(store_read_end) struct store_read *read = NULL;
	owned(str_done) struct str rows = str_new(1000);
	struct err err = ERR_INIT;
	size_t written = 0;

	temp_ok(intent_settle(place->store, &place->dir, &written, &err), &err);
	assert_int_equal(written, count);
	temp_ok(store_read_begin(place->store, &read, &err), &err);
	temp_ok(audit_each(store_read_db(read), &all, add_row, &rows, &err), &err);
	assert_string_equal(rows.data, expected);
}

static void what_was_not_done_is_forgotten(void **state)
{
	struct place place;

	begin(state, &place);
	intend(&place, "refs/heads/dev", "");
	intend(&place, "refs/heads/main", place.temp->first);
	expect_settled(&place, 0, "");
	end(&place);
}

static void what_was_done_gets_its_row_once(void **state)
{
	struct place place;
	struct err err = ERR_INIT;

	begin(state, &place);
	intend(&place, "refs/heads/dev", "");
	temp_ok(refs_make_branch(place.temp->git, "dev", place.temp->first, false, &err), &err);
	expect_settled(&place, 1, "me POST /branch branch.create models/me/m dev 1;");
	expect_settled(&place, 0, "me POST /branch branch.create models/me/m dev 1;");
	end(&place);
}

static void a_deletion_that_was_done_gets_its_row(void **state)
{
	struct place place;
	struct err err = ERR_INIT;

	begin(state, &place);
	temp_ok(refs_make_tag(place.temp->git, "v1", place.temp->first, &temp_meta, &err), &err);
	intend(&place, "refs/tags/v1", place.temp->first);
	temp_ok(refs_delete_tag(place.temp->git, "v1", &err), &err);
	expect_settled(&place, 1, "me POST /branch branch.create models/me/m dev 1;");
	end(&place);
}

static void those_that_were_taken_back_and_of_no_repository_are_gone(void **state)
{
	struct place place;
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;
	int64_t id;

	begin(state, &place);
	id = intend(&place, "refs/heads/main", "");
	temp_ok(store_tx_begin(place.store, &tx, &err), &err);
	temp_ok(intent_remove(store_tx_db(tx), id, &err), &err);
	temp_ok(store_tx_commit(take(tx), &err), &err);
	intend(&place, "refs/heads/main", "");
	change(&place, "DELETE FROM repos");
	expect_settled(&place, 0, "");
	end(&place);
}

int main(void)
{

	const struct CMUnitTest tests[] = {
		TEMP_TEST(what_was_not_done_is_forgotten),
		TEMP_TEST(what_was_done_gets_its_row_once),
		TEMP_TEST(a_deletion_that_was_done_gets_its_row),
		TEMP_TEST(those_that_were_taken_back_and_of_no_repository_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
