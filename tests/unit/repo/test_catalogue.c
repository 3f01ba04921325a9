#include "rows.h"

#include <pthread.h>
#include <stdatomic.h>

#include "repo/catalogue.h"

#define ALL_TYPES 7

static int64_t add(struct rows *rows, const char *name, const char *tags, int64_t at_ms)
{
	struct repo repo = {.type = REPO_MODEL, .owner_id = ROWS_ADA};

	snprintf(repo.name, sizeof(repo.name), "%s", name);
	return rows_add(rows, &repo, tags, at_ms);
}

static int64_t add_private(struct rows *rows, int64_t owner_id, const char *name)
{
	struct repo repo = {.type = REPO_MODEL, .owner_id = owner_id, .is_private = true};

	snprintf(repo.name, sizeof(repo.name), "%s", name);
	return rows_add(rows, &repo, "secret\n", 50);
}

/* Names of what is found, as the rows have them. */
static const char *names(struct rows *rows, const struct catalogue_page *page)
{
	static char text[1024];
	owned(store_read_end) struct store_read *read = NULL;
	struct err err = ERR_INIT;
	size_t length = 0;

	text[0] = '\0';
	rows_ok(store_read_begin(rows->store, &read, &err), &err);
	for (size_t i = 0; i < page->count; i++) {
		struct repo repo;

		assert_int_equal(repo_by_id(store_read_db(read), page->found[i].id, &repo, &err),
				 1);
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s ", repo.name);
	}
	return text;
}

static const char *find(struct rows *rows, struct catalogue *catalogue,
			const struct catalogue_query *query)
{
	owned(catalogue_page_done) struct catalogue_page page = {0};
	struct err err = ERR_INIT;

	rows_ok(catalogue_find(catalogue, query, &page, &err), &err);
	return names(rows, &page);
}

static const struct catalogue_query newest = {.types = ALL_TYPES, .descending = true, .limit = 100};

static void finds_by_text_tag_type_and_owner(void **state)
{
	struct rows *rows = *state;
	owned(catalogue_free) struct catalogue *catalogue = catalogue_new(rows->store);
	struct catalogue_query query = newest;
	struct repo space = {.type = REPO_SPACE, .owner_id = ROWS_BOB, .name = "gpt-chat"};

	add(rows, "GPT-small", "license:mit\nen\n", 1);
	add(rows, "bert", "license:mit\n", 2);
	add(rows, "gpt-large", "en\n", 3);
	rows_add(rows, &space, "gradio\n", 4);
	assert_string_equal(find(rows, catalogue, &query), "gpt-chat gpt-large bert GPT-small ");
	query.search = (struct catalogue_texts){(const char *const[]){"Gpt", "l"}, 2};
	assert_string_equal(find(rows, catalogue, &query), "gpt-large GPT-small ");
	query.search = (struct catalogue_texts){(const char *const[]){"ada/g"}, 1};
	assert_string_equal(find(rows, catalogue, &query), "gpt-large GPT-small ");
	query.tags = (struct catalogue_texts){(const char *const[]){"license:mit"}, 1};
	assert_string_equal(find(rows, catalogue, &query), "GPT-small ");
	query.search.count = 0;
	assert_string_equal(find(rows, catalogue, &query), "bert GPT-small ");
	query.tags = (struct catalogue_texts){(const char *const[]){"license:mit", "en"}, 2};
	assert_string_equal(find(rows, catalogue, &query), "GPT-small ");
	query.tags = (struct catalogue_texts){(const char *const[]){"license"}, 1};
	assert_string_equal(find(rows, catalogue, &query), "");
	query = newest;
	query.types = 1 << REPO_SPACE;
	assert_string_equal(find(rows, catalogue, &query), "gpt-chat ");
	query = newest;
	query.owner_id = ROWS_BOB;
	assert_string_equal(find(rows, catalogue, &query), "gpt-chat ");
}

static void tags_are_searched_where_asked(void **state)
{
	struct rows *rows = *state;
	owned(catalogue_free) struct catalogue *catalogue = catalogue_new(rows->store);
	struct catalogue_query query = newest;

	add(rows, "one", "Music\n", 1);
	add(rows, "two", "speech\n", 2);
	query.search = (struct catalogue_texts){(const char *const[]){"musi"}, 1};
	assert_string_equal(find(rows, catalogue, &query), "");
	query.search_tags = true;
	assert_string_equal(find(rows, catalogue, &query), "one ");
}

static void links_are_no_tags(void **state)
{
	struct rows *rows = *state;
	owned(catalogue_free) struct catalogue *catalogue = catalogue_new(rows->store);
	struct catalogue_query query = newest;
	static const char *const link[] = {"model:ada/m"};

	add(rows, "tagged", "model:ada/m\n", 1);
	add(rows, "linked", "", 2);
	rows_run(rows, "UPDATE listings SET links = 'model:ada/m' || char(10) || 'dataset:ada/d'"
		       " || char(10) WHERE repo_id = 2");
	query.links = (struct catalogue_texts){link, 1};
	assert_string_equal(find(rows, catalogue, &query), "linked ");
	query = newest;
	query.tags = (struct catalogue_texts){link, 1};
	assert_string_equal(find(rows, catalogue, &query), "tagged ");
	query = newest;
	query.linked = true;
	assert_string_equal(find(rows, catalogue, &query), "linked ");
}

static void orders_both_ways(void **state)
{
	struct rows *rows = *state;
	owned(catalogue_free) struct catalogue *catalogue = catalogue_new(rows->store);
	struct catalogue_query query = newest;

	add(rows, "b", "", 30);
	add(rows, "c", "", 10);
	add(rows, "a", "", 20);
	rows_run(rows, "UPDATE repos SET modified_ms = 99 WHERE name = 'c'");
	assert_string_equal(find(rows, catalogue, &query), "c b a ");
	query.descending = false;
	assert_string_equal(find(rows, catalogue, &query), "a b c ");
	query.order = CATALOGUE_CREATED;
	assert_string_equal(find(rows, catalogue, &query), "c a b ");
	query.order = CATALOGUE_NAME;
	assert_string_equal(find(rows, catalogue, &query), "a b c ");
	query.descending = true;
	assert_string_equal(find(rows, catalogue, &query), "c b a ");
}

/* Every page after the first, whatever comes and goes meanwhile. */
static void pages_meet_each_entry_once(void **state)
{
	static const enum catalogue_order orders[] = {CATALOGUE_MODIFIED, CATALOGUE_CREATED,
						      CATALOGUE_NAME};
	struct rows *rows = *state;
	owned(catalogue_free) struct catalogue *catalogue = catalogue_new(rows->store);
	char name[16];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "old-%02d", (i * 7) % 40);
		add(rows, name, "", i / 4); /* four at once */
	}
	for (size_t o = 0; o < 6; o++) {
		struct catalogue_query query = newest;
		struct catalogue_mark mark;
		char seen[40] = {0};
		bool more = true;

		query.order = orders[o / 2];
		query.descending = o % 2;
		query.limit = 7;
		while (more) {
			owned(catalogue_page_done) struct catalogue_page page = {0};
			struct err err = ERR_INIT;
			const char *found;

			rows_ok(catalogue_find(catalogue, &query, &page, &err), &err);
			found = names(rows, &page);
			for (const char *at = found; (at = strstr(at, "old-")); at += 6)
				seen[(at[4] - '0') * 10 + at[5] - '0']++;
			snprintf(name, sizeof(name), "new-%zu-%d", o, page.count ? found[5] : 0);
			rows_run(rows, "DELETE FROM repos WHERE name LIKE 'new-%'");
			add(rows, name, "", 1000);
			mark = page.found[page.count - 1].mark;
			query.after = &mark;
			more = page.more;
		}
		for (size_t i = 0; i < sizeof(seen); i++)
			assert_int_equal(seen[i], 1);
	}
}

static void private_ones_are_for_whom_they_are(void **state)
{
	struct rows *rows = *state;
	owned(catalogue_free) struct catalogue *catalogue = catalogue_new(rows->store);
	struct catalogue_query query = newest;
	static const int64_t ada[] = {ROWS_ADA};
	static const char *const names_of_ada[] = {"ADA/one", "bob"};
	owned(str_done) struct str tags = str_new(1000);
	struct err err = ERR_INIT;

	add(rows, "open", "seen\n", 1);
	add_private(rows, ROWS_ADA, "one");
	add_private(rows, ROWS_ADA, "one-more");
	add_private(rows, ROWS_BOB, "two");
	query.order = CATALOGUE_NAME;
	query.descending = false;
	assert_string_equal(find(rows, catalogue, &query), "open ");
	query.sight = (struct catalogue_sight){.owners = ada, .owner_count = 1};
	assert_string_equal(find(rows, catalogue, &query), "one one-more open ");
	query.sight.scoped = true;
	assert_string_equal(find(rows, catalogue, &query), "open ");
	query.sight.names = names_of_ada;
	query.sight.name_count = 2;
	assert_string_equal(find(rows, catalogue, &query), "one open ");
	query.sight.all_owners = true;
	assert_string_equal(find(rows, catalogue, &query), "one open two ");
	query.sight = (struct catalogue_sight){.all_owners = true};
	assert_string_equal(find(rows, catalogue, &query), "one one-more open two ");
	rows_ok(catalogue_tags(catalogue, ALL_TYPES, &tags, &err), &err);
	assert_string_equal(tags.data, "seen\n");
}

static void changes_are_learned_at_once(void **state)
{
	struct rows *rows = *state;
	owned(catalogue_free) struct catalogue *catalogue = catalogue_new(rows->store);
	struct catalogue_query query = newest;

	assert_string_equal(find(rows, catalogue, &query), "");
	add(rows, "one", "a\n", 1);
	add(rows, "two", "a\n", 2);
	assert_string_equal(find(rows, catalogue, &query), "two one ");
	rows_run(rows, "UPDATE repos SET name = 'uno' WHERE name = 'one'");
	assert_string_equal(find(rows, catalogue, &query), "two uno ");
	rows_run(rows, "UPDATE repos SET is_private = 1 WHERE name = 'two'");
	assert_string_equal(find(rows, catalogue, &query), "uno ");
	rows_run(rows, "UPDATE repos SET gated = 'auto' WHERE name = 'uno'");
	query.not_gated = true;
	assert_string_equal(find(rows, catalogue, &query), "");
	query.not_gated = false;
	query.gated = true;
	assert_string_equal(find(rows, catalogue, &query), "uno ");
	rows_run(rows, "UPDATE listings SET title = 'Something else' WHERE repo_id = 1");
	rows_run(rows, "UPDATE accounts SET name = 'eve' WHERE name = 'Ada'");
	query.search = (struct catalogue_texts){(const char *const[]){"eve/", "THING"}, 2};
	assert_string_equal(find(rows, catalogue, &query), "uno ");
	rows_run(rows, "DELETE FROM repos");
	query.search.count = 0;
	query.sight.all_owners = true;
	assert_string_equal(find(rows, catalogue, &query), "");
}

/* More than what is read in one go. */
static void learns_many(void **state)
{
	struct rows *rows = *state;
	owned(catalogue_free) struct catalogue *catalogue = catalogue_new(rows->store);
	owned(catalogue_page_done) struct catalogue_page page = {0};
	struct catalogue_query query = newest;
	struct err err = ERR_INIT;

	rows_run(rows, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
		       " WHERE i < 4500) INSERT INTO repos (hex, type, owner_id, name, is_private,"
		       " creator_id, created_ms, modified_ms) SELECT i, 'model', 1, 'r' || i, 0, 1,"
		       " i, i FROM n");
	query.limit = 5000;
	rows_ok(catalogue_find(catalogue, &query, &page, &err), &err);
	assert_int_equal(page.count, 4500);
	assert_int_equal(page.found[0].id, 4500);
	assert_false(page.more);
}

struct asker {
	struct catalogue *catalogue;
	atomic_bool stop;
};

/* Nothing that was once there may be missing later. */
static void *ask(void *arg)
{
	struct asker *asker = arg;
	size_t last = 0;

	do {
		owned(catalogue_page_done) struct catalogue_page page = {0};
		struct err err = ERR_INIT;

		rows_ok(catalogue_find(asker->catalogue, &newest, &page, &err), &err);
		assert_true(page.count >= last);
		last = page.count;
	} while (!atomic_load(&asker->stop));
	return NULL;
}

static void many_threads_ask_while_one_writes(void **state)
{
	struct rows *rows = *state;
	owned(catalogue_free) struct catalogue *catalogue = catalogue_new(rows->store);
	struct asker asker = {.catalogue = catalogue};
	pthread_t threads[3];
	char name[16];

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, &asker), 0);
	for (size_t i = 1; i <= 50; i++) {
		owned(catalogue_page_done) struct catalogue_page page = {0};
		struct err err = ERR_INIT;

		snprintf(name, sizeof(name), "r%zu", i);
		add(rows, name, "tag\n", 1);
		rows_ok(catalogue_find(catalogue, &newest, &page, &err), &err);
		assert_int_equal(page.count, i);
	}
	atomic_store(&asker.stop, true);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rows_setup, rows_teardown)
	const struct CMUnitTest tests[] = {
		TEST(finds_by_text_tag_type_and_owner),
		TEST(tags_are_searched_where_asked),
		TEST(links_are_no_tags),
		TEST(orders_both_ways),
		TEST(pages_meet_each_entry_once),
		TEST(private_ones_are_for_whom_they_are),
		TEST(changes_are_learned_at_once),
		TEST(learns_many),
		TEST(many_threads_ask_while_one_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
