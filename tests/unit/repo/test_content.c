#include "temp.h"

#include "repo/content.h"

/* A file of main that deflate can't shrink to nothing, larger than what is read at a time. */
enum { SIZE = 300000 };

static char *make_bytes(void)
{
	char *bytes = mem_alloc(SIZE + 1);
	unsigned state = 1;

	for (size_t i = 0; i < SIZE; i++) {
		state = state * 1103515245 + 12345; /* C11, 7.22.2.2 */
		bytes[i] = (char)('!' + (state >> 16) % 90);
	}
	bytes[SIZE] = '\0';
	return bytes;
}

static void entry_of(struct temp *temp, const char *path, struct git_entry *entry)
{
	struct err err = ERR_INIT;
	char head[GIT_HEX];

	temp_ok(git_resolve(temp->git, "main", head, &err), &err);
	temp_ok(git_entry(temp->git, head, path, entry, &err), &err);
}

/* From `first` on, in pieces of at most `piece`. */
static void expect(struct temp *temp, const char *oid, uint64_t first, size_t piece,
		   const char *bytes)
{
	owned(content_close) struct content *content = NULL;
	owned(free) char *room = mem_alloc(piece);
	struct err err = ERR_INIT;
	size_t at = (size_t)first;
	ssize_t got;

	temp_ok(content_open(temp->git, oid, first, &content, &err), &err);
	while ((got = content_read(content, room, piece)) > 0) {
		assert_true(at + (size_t)got <= SIZE);
		assert_memory_equal(room, bytes + at, (size_t)got);
		at += (size_t)got;
	}
	assert_int_equal(got, 0);
	assert_int_equal(at, SIZE);
}

static void expect_all(struct temp *temp, const char *bytes)
{
	static const uint64_t firsts[] = {0, 1, 65535, 65536, 200000, SIZE - 1, SIZE};
	struct git_entry entry;

	entry_of(temp, "big", &entry);
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		expect(temp, entry.oid, firsts[i], 1000, bytes);
		expect(temp, entry.oid, firsts[i], SIZE, bytes);
	}
}

static void put_bytes(struct temp *temp, const char *bytes)
{
	owned(change_end) struct change *change = temp_begin(temp);
	char commit[GIT_HEX];

	temp_put(change, "big", bytes);
	temp_put(change, "empty", "");
	assert_true(temp_commit(change, commit));
}

static void reads_from_any_place(void **state)
{
	owned(free) char *bytes = make_bytes();

	put_bytes(*state, bytes);
	expect_all(*state, bytes);
}

static void reads_what_git_has_packed(void **state)
{
	struct temp *temp = *state;
	owned(free) char *bytes = make_bytes();
	owned(str_done) struct str output = str_new(1000);

	put_bytes(temp, bytes);
	temp_git(temp, (const char *[]){"repack", "-adq", NULL}, &output);
	expect_all(temp, bytes);
}

static void an_empty_file_ends_at_once(void **state)
{
	struct temp *temp = *state;
	owned(free) char *bytes = make_bytes();
	owned(content_close) struct content *content = NULL;
	struct err err = ERR_INIT;
	struct git_entry entry;
	char room[8];

	put_bytes(temp, bytes);
	entry_of(temp, "empty", &entry);
	temp_ok(content_open(temp->git, entry.oid, 0, &content, &err), &err);
	assert_int_equal(content_read(content, room, sizeof(room)), 0);
}

static void knows_what_is_not_there(void **state)
{
	struct temp *temp = *state;
	static const char *const oids[] = {"", "main", "0123456789012345678901234567890123456789"};
	struct content *content;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(oids) / sizeof(oids[0]); i++) {
		assert_int_equal(content_open(temp->git, oids[i], 0, &content, &err), -1);
		assert_int_equal(err.kind, ERR_NO_ENTRY);
	}
}

static void sees_that_a_file_is_cut(void **state)
{
	struct temp *temp = *state;
	owned(free) char *bytes = make_bytes();
	owned(content_close) struct content *content = NULL;
	owned(free) char *room = mem_alloc(SIZE);
	struct err err = ERR_INIT;
	struct git_entry entry;
	ssize_t got;
	size_t total = 0;

	put_bytes(temp, bytes);
	entry_of(temp, "big", &entry);
	owned(free) char *path =
		mem_format("%s/objects/%.2s/%s", temp->path, entry.oid, entry.oid + 2);
	assert_int_equal(truncate(path, 100000), 0);
	temp_ok(content_open(temp->git, entry.oid, 0, &content, &err), &err);
	while ((got = content_read(content, room, SIZE)) > 0)
		total += (size_t)got;
	assert_int_equal(got, -1);
	assert_true(total > 0 && total < SIZE);
	assert_int_equal(content_open(temp->git, entry.oid, SIZE - 1, &content, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_TEST(reads_from_any_place),       TEMP_TEST(reads_what_git_has_packed),
		TEMP_TEST(an_empty_file_ends_at_once), TEMP_TEST(knows_what_is_not_there),
		TEMP_TEST(sees_that_a_file_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
