#include "temp.h"

#include "repo/usage.h"

static void counts_the_bytes_of_all_files(void **state)
{
	struct temp *temp = *state;
	owned(free) char *folder = mem_format("%s/objects/info/x/y", temp->path);
	owned(free) char *file = mem_format("%s/z", folder);
	struct err err = ERR_INIT;
	int64_t before, after;

	temp_ok(usage_of(temp->path, &before, &err), &err);
	assert_true(before > 0);
	temp_ok(file_make_dirs(AT_FDCWD, folder, 0700, &err), &err);
	temp_ok(file_write(AT_FDCWD, file, "12345", 5, 0600, &err), &err);
	temp_ok(usage_of(temp->path, &after, &err), &err);
	assert_int_equal(after, before + 5);
}

static void a_repository_that_is_gone_is_told(void **state)
{
	struct err err = ERR_INIT;
	int64_t bytes;

	assert_int_equal(usage_of("/tmp/espace-no-such-repository", &bytes, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REPO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_the_bytes_of_all_files, temp_setup,
						temp_teardown),
		cmocka_unit_test(a_repository_that_is_gone_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
