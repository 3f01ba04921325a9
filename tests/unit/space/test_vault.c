#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "world.h"

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

static char *key_path(const struct world *world)
{
	return mem_format("%s/secret.key", world->path);
}

static void opens_what_it_has_sealed_also_after_a_restart(void **state)
{
	struct world *world = *state;
	owned(free) char *path = key_path(world);
	owned(vault_free) struct vault *again = NULL;
	owned(secret_free) struct secret *value = NULL;
	owned(free) void *sealed = NULL;
	size_t length;
	struct err err = ERR_INIT;

	vault_seal(world->vault, "place", "hf_secret", &sealed, &length);
	assert_null(memmem(sealed, length, "secret", 6));
	world_ok(vault_open(path, world->store, &again, &err), &err);
	world_ok(vault_unseal(again, "place", sealed, length, &value, &err), &err);
	assert_string_equal(secret_bytes(value), "hf_secret");
}

static void opens_nothing_at_another_place_or_changed(void **state)
{
	struct world *world = *state;
	owned(secret_free) struct secret *value = NULL;
	owned(free) unsigned char *sealed = NULL;
	void *bytes;
	size_t length;
	struct err err = ERR_INIT;

	vault_seal(world->vault, "place", "x", &bytes, &length);
	sealed = bytes;
	assert_int_equal(vault_unseal(world->vault, "other", sealed, length, &value, &err), -1);
	assert_int_equal(vault_unseal(world->vault, "place", sealed, length - 1, &value, &err), -1);
	assert_int_equal(vault_unseal(world->vault, "place", sealed, 3, &value, &err), -1);
	for (size_t i = 0; i < length; i++) {
		sealed[i] ^= 1;
		assert_int_equal(vault_unseal(world->vault, "place", sealed, length, &value, &err),
				 -1);
		sealed[i] ^= 1;
	}
	assert_null(value);
}

static void makes_a_key_file_that_others_cannot_read(void **state)
{
	owned(free) char *path = key_path(*state);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0400);
	assert_int_equal(st.st_size, 32);
}

static void expect_refused(struct world *world, enum err_kind kind)
{
	owned(free) char *path = key_path(world);
	owned(vault_free) struct vault *vault = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(vault_open(path, world->store, &vault, &err), -1);
	assert_int_equal(err.kind, kind);
}

static void refuses_a_key_that_is_gone_or_another(void **state)
{
	struct world *world = *state;
	owned(free) char *path = key_path(world);
	struct err err = ERR_INIT;

	assert_int_equal(unlink(path), 0);
	expect_refused(world, ERR_NOT_FOUND);
	assert_false(file_exists(AT_FDCWD, path)); /* no new one in its place */
	world_ok(file_write(AT_FDCWD, path, "00000000000000000000000000000000", 32, 0400, &err),
		 &err);
	expect_refused(world, ERR_INVALID);
	world_ok(file_write(AT_FDCWD, path, "short", 5, 0400, &err), &err);
	expect_refused(world, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opens_what_it_has_sealed_also_after_a_restart,
						setup, teardown),
		cmocka_unit_test_setup_teardown(opens_nothing_at_another_place_or_changed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(makes_a_key_file_that_others_cannot_read, setup,
						teardown),
		cmocka_unit_test_setup_teardown(refuses_a_key_that_is_gone_or_another, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
