#include "temp.h"

#include "repo/packed.h"

static void put_packed(struct temp *temp, int *repo_fd, const char *text)
{
	struct err err = ERR_INIT;

	*repo_fd = open(temp->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(*repo_fd >= 0);
	temp_ok(file_write(*repo_fd, "packed-refs", text, strlen(text), 0600, &err), &err);
}

static void expect_removed(struct temp *temp, const char *text, const char *name,
			   const char *expected)
{
	owned(close) int repo_fd = -1;
	owned(str_done) struct str left = str_new(1000);
	struct err err = ERR_INIT;

	put_packed(temp, &repo_fd, text);
	temp_ok(packed_remove(repo_fd, name, &err), &err);
	temp_ok(file_read(repo_fd, "packed-refs", &left, &err), &err);
	assert_string_equal(left.data, expected);
}

#define HEADER "# pack-refs with: peeled fully-peeled sorted \n"
#define ID     "0123456789012345678901234567890123456789"

static void takes_out_one_reference_with_its_commit(void **state)
{
	expect_removed(*state, HEADER ID " refs/heads/a\n" ID " refs/heads/ab\n", "refs/heads/a",
		       HEADER ID " refs/heads/ab\n");
	expect_removed(*state, HEADER ID " refs/tags/v\n^" ID "\n" ID " refs/tags/w\n",
		       "refs/tags/v", HEADER ID " refs/tags/w\n");
	expect_removed(*state, HEADER ID " refs/tags/v\n^" ID "\n", "refs/tags/v", HEADER);
}

static void leaves_others_alone(void **state)
{
	static const char *const others[] = {"refs/heads", "refs/heads/a", "heads/ab", "a", ID};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		expect_removed(*state, HEADER ID " refs/heads/ab\n", others[i],
			       HEADER ID " refs/heads/ab\n");
}

/* As after a full disk, or an older git. */
static void takes_a_last_line_without_its_end(void **state)
{
	expect_removed(*state, HEADER ID " refs/tags/v\n^" ID, "refs/tags/v", HEADER);
}

static void needs_no_file(void **state)
{
	struct temp *temp = *state;
	owned(close) int repo_fd = open(temp->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_INIT;

	temp_ok(packed_remove(repo_fd, "refs/heads/a", &err), &err);
	assert_false(file_exists(repo_fd, "packed-refs"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_EMPTY(takes_out_one_reference_with_its_commit),
		TEMP_EMPTY(leaves_others_alone),
		TEMP_EMPTY(takes_a_last_line_without_its_end),
		TEMP_EMPTY(needs_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
