#include "scratch.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "store/chain.h"
#include "store/schema.h"

enum { ROWS = 5, THREADS = 4, EACH = 25 };

static void add(struct store *store)
{
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;
	const struct audit_who who = {.actor_id = 1, .actor = "me", .token = "laptop"};
	const struct audit_entry entry = {&who, "repo.create", "spaces/me/demo", "public"};

	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(audit_add(store_tx_db(tx), &entry, &err));
	assert_ok(store_tx_commit(tx, &err));
}

static void verify(struct store *store, const struct chain_head *kept, struct chain_report *out)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_read_begin(store, &read, &err));
	assert_ok(chain_verify(store_read_db(read), kept, out, &err));
}

static void assert_whole(struct store *store, int64_t rows)
{
	struct chain_report report;

	verify(store, NULL, &report);
	assert_null(report.fault);
	assert_int_equal(report.bad_id, 0);
	assert_int_equal(report.rows, rows);
	assert_int_equal(report.head.id, rows);
}

static void assert_bad(struct store *store, int64_t bad_id, const char *fault)
{
	struct chain_report report;

	verify(store, NULL, &report);
	assert_non_null(report.fault);
	assert_string_equal(report.fault, fault);
	assert_int_equal(report.bad_id, bad_id);
}

/* Who can write to the file can take the triggers away. */
static void tamper(const char *path, const char *sql)
{
	sqlite3 *other = NULL;

	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "DROP TRIGGER audit_keeps; DROP TRIGGER audit_stays",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

/* Not by the code that it checks: the text by hand, and its hash by sha256sum. */
static void the_text_that_is_hashed_is_the_documented_one(void **state)
{
	char genesis[HASH_HEX], hash[HASH_HEX], expected[HASH_HEX];
	const struct audit_row row = {
		.id = 1,
		.at_ms = 1700000000000,
		.who = {7, "me", 9, "", "::1", "POST /x", "r", "\xc3\xa9"},
		.action = "a.b",
		.target = "spaces/me/x",
		.detail = "1:2,",
	};
	static const char rest[] = ",1:1,13:1700000000000,1:7,2:me,1:9,0:,3:::1,7:POST /x,1:r,"
				   "2:\xc3\xa9,3:a.b,11:spaces/me/x,4:1:2,,";
	char text[256];

	memset(genesis, '0', HASH_HEX - 1);
	genesis[HASH_HEX - 1] = '\0';
	snprintf(text, sizeof(text), "64:%s%s", genesis, rest);
	hash_hex(text, strlen(text), expected);
	chain_hash(genesis, &row, hash);
	assert_string_equal(hash, expected);
	assert_string_equal(hash,
			    "724fe3ca6e67d86005a83dc24a4c7d71355caf8620020319b98b0693275d3735");
}

static void *add_many(void *arg)
{
	for (int i = 0; i < EACH; i++)
		add(arg);
	return NULL;
}

static void rows_of_many_threads_are_one_chain(void **state)
{
	struct store *store = scratch_of(state)->store;
	pthread_t threads[THREADS];

	assert_whole(store, 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, store), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_whole(store, (int64_t)THREADS * EACH);
}

static void a_row_stays_as_it_is(void **state)
{
	struct store *store = scratch_of(state)->store;
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	add(store);
	assert_ok(store_tx_begin(store, &tx, &err));
	owned(store_query_end) struct store_query *change =
		store_query(store_tx_db(tx), "UPDATE audit SET detail = 'x'");
	assert_int_equal(store_step(change, &err), -1);
	assert_non_null(strstr(err.text, "stay as they are"));
	owned(store_query_end) struct store_query *removal =
		store_query(store_tx_db(tx), "DELETE FROM audit");
	assert_int_equal(store_step(removal, &err), -1);
}

static void whatever_is_altered_is_named(void **state)
{
	static const char *const columns[] = {"at_ms",   "actor_id", "actor", "token_id", "token",
					      "address", "via",      "agent", "request",  "action",
					      "target",  "detail",   "hash"};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		void *fresh = NULL;
		char sql[128];

		assert_int_equal(scratch_setup(&fresh), 0);
		struct store *store = scratch_of(&fresh)->store;
		for (int row = 0; row < ROWS; row++)
			add(store);
		snprintf(sql, sizeof(sql), "UPDATE audit SET %s = %s || '1' WHERE id = 3",
			 columns[i], columns[i]);
		tamper(scratch_of(&fresh)->path, sql);
		assert_bad(store, 3, "does not follow from the rows before it");
		assert_int_equal(scratch_teardown(&fresh), 0);
	}
}

static void a_row_that_is_removed_is_named(void **state)
{
	struct scratch *scratch = scratch_of(state);

	for (int i = 0; i < ROWS; i++)
		add(scratch->store);
	tamper(scratch->path, "DELETE FROM audit WHERE id = 2");
	assert_bad(scratch->store, 2, "is missing");
}

static void a_row_that_is_put_in_is_named(void **state)
{
	struct scratch *scratch = scratch_of(state);

	for (int i = 0; i < ROWS; i++)
		add(scratch->store);
	tamper(scratch->path, "UPDATE audit SET id = id + 100 WHERE id >= 3;"
			      "UPDATE audit SET id = id - 99 WHERE id > 100;"
			      "INSERT INTO audit (id, at_ms, actor_id, token_id, action, target)"
			      " VALUES (3, 0, 0, 0, 'a', 'b')");
	assert_bad(scratch->store, 3, "does not follow from the rows before it");
}

static void rows_that_are_cut_off_are_named_also_after_new_ones(void **state)
{
	struct scratch *scratch = scratch_of(state);

	for (int i = 0; i < ROWS; i++)
		add(scratch->store);
	tamper(scratch->path, "DELETE FROM audit WHERE id > 3");
	assert_bad(scratch->store, 4, "is missing");
	add(scratch->store);
	assert_bad(scratch->store, 4, "is missing");
}

static void a_row_behind_the_end_is_named(void **state)
{
	struct scratch *scratch = scratch_of(state);

	for (int i = 0; i < ROWS; i++)
		add(scratch->store);
	tamper(scratch->path, "UPDATE audit_head SET id = 4, "
			      "hash = (SELECT hash FROM audit WHERE id = 4)");
	assert_bad(scratch->store, 5, "is behind the end that was noted");
}

/* The rows and the noted end fit again: only a head that was kept elsewhere tells. */
static void a_kept_head_tells_of_a_chain_that_was_made_anew(void **state)
{
	struct scratch *scratch = scratch_of(state);
	struct chain_report report;
	struct chain_head kept;

	for (int i = 0; i < ROWS; i++)
		add(scratch->store);
	verify(scratch->store, NULL, &report);
	kept = report.head;
	add(scratch->store);
	verify(scratch->store, &kept, &report);
	assert_null(report.fault);
	tamper(scratch->path, "DELETE FROM audit WHERE id > 4; UPDATE audit_head SET id = 4, "
			      "hash = (SELECT hash FROM audit WHERE id = 4)");
	assert_whole(scratch->store, 4);
	verify(scratch->store, &kept, &report);
	assert_string_equal(report.fault, "is missing");
	assert_int_equal(report.bad_id, 5);
	add(scratch->store);
	add(scratch->store);
	assert_whole(scratch->store, 6);
	kept.hash[0] = kept.hash[0] == '0' ? '1' : '0';
	verify(scratch->store, &kept, &report);
	assert_string_equal(report.fault, "has not the hash that was kept");
	assert_int_equal(report.bad_id, 5);
}

static void a_head_is_an_id_and_a_hash(void **state)
{
	static const char *const wrong[] = {"",  "7", "7:", "7:abc", "0:" /* and 64 digits below */,
					    "x:"};
	struct chain_head head;
	struct err err = ERR_INIT;
	char text[128];

	snprintf(text, sizeof(text), "7:%064d", 5);
	assert_ok(chain_head_parse(text, &head, &err));
	assert_int_equal(head.id, 7);
	assert_string_equal(head.hash, text + 2);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "%s%064d", wrong[i], 5);
		assert_int_equal(chain_head_parse(i < 4 ? wrong[i] : text, &head, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

/* What the program without a chain has written, in the schema that it knew. */
static void run_old(const char *path)
{
	sqlite3 *other = NULL;

	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	for (int i = 0; i < 6; i++)
		assert_int_equal(sqlite3_exec(other, schema_steps[i], NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(other,
			     "PRAGMA user_version = 6;"
			     "INSERT INTO accounts (id, hex, type, name, created_ms)"
			     " VALUES (1, 'a', 'user', 'me', 0);"
			     "INSERT INTO tokens (id, user_id, hash, name, role, created_ms)"
			     " VALUES (2, 1, 'h', 'ci', 'write', 0);"
			     "INSERT INTO audit (at_ms, actor_id, token_id, action, target, detail)"
			     " VALUES (1, 0, 0, 'user.add', 'me', ''),"
			     " (2, 1, 2, 'repo.create', 'spaces/me/demo', 'é'),"
			     " (3, 9, 9, 'repo.delete', 'spaces/me/demo', '')",
			     NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static void rows_of_older_programs_begin_the_chain(void **state)
{
	owned(store_close) struct store *store = NULL;
	struct err err = ERR_INIT;
	char path[128];

	snprintf(path, sizeof(path), "%s/old.db", scratch_of(state)->dir);
	run_old(path);
	assert_ok(store_open(path, &store, &err));
	assert_whole(store, 3);
	assert_int_equal(scratch_ask(store,
				     "SELECT count(*) FROM audit WHERE (id, actor, token) "
				     "IN (VALUES (1, '', ''), (2, 'me', 'ci'), (3, '', ''))"),
			 3);
	add(store);
	assert_whole(store, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_text_that_is_hashed_is_the_documented_one),
		TEST(rows_of_many_threads_are_one_chain),
		TEST(a_row_stays_as_it_is),
		cmocka_unit_test(whatever_is_altered_is_named),
		TEST(a_row_that_is_removed_is_named),
		TEST(a_row_that_is_put_in_is_named),
		TEST(rows_that_are_cut_off_are_named_also_after_new_ones),
		TEST(a_row_behind_the_end_is_named),
		TEST(a_kept_head_tells_of_a_chain_that_was_made_anew),
		TEST(a_head_is_an_id_and_a_hash),
		TEST(rows_of_older_programs_begin_the_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
