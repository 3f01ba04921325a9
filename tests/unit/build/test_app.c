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
#include "build/app.h"
#include "world.h"

static const char hex[] = "0123456789abcdef01234567";

static int setup(void **state)
{
	struct world *world = world_new();
	owned(free) char *layers = mem_format("%s/layers", world->path);

	assert_int_equal(mkdir(layers, 0700), 0);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static int make(struct world *world, struct err *err)
{
	owned(free) char *layers = mem_format("%s/layers", world->path);

	return app_layer_make(world->git_path, hex, world->commit, layers, err);
}

/* A path inside of the layer's app folder. */
static char *inside(const struct world *world, const char *path)
{
	char name[APP_LAYER_ROOM];

	app_layer_name(hex, world->commit, name);
	return mem_format("%s/layers/%s/home/user/app/%s", world->path, name, path);
}

static void expect_mode(const struct world *world, const char *path, mode_t mode)
{
	owned(free) char *whole = inside(world, path);
	struct stat st;

	assert_int_equal(lstat(whole, &st), 0);
	assert_int_equal(st.st_mode, mode);
}

static void writes_files_folders_and_programs(void **state)
{
	struct world *world = *state;
	owned(str_done) struct str text = str_new(100);
	struct err err = ERR_INIT;

	umask(077);
	world_put(world, "app.py", "print(1)\n", 0644);
	world_put(world, "bin/run", "#!/bin/sh\n", 0755);
	world_commit(world);
	world_ok(make(world, &err), &err);
	umask(022);
	expect_mode(world, "app.py", S_IFREG | 0644);
	expect_mode(world, "bin", S_IFDIR | 0755);
	expect_mode(world, "bin/run", S_IFREG | 0755);
	expect_mode(world, "", S_IFDIR | 0755);

	owned(free) char *path = inside(world, "app.py");

	world_ok(file_read(AT_FDCWD, path, &text, &err), &err);
	assert_string_equal(text.data, "print(1)\n");
}

static void keeps_links_that_stay_inside(void **state)
{
	struct world *world = *state;
	static const char *const bad[] = {"absolute", "above", "deep/above", "deep/tricky"};
	struct err err = ERR_INIT;

	world_put(world, "app.py", "", 0644);
	world_put(world, "good", "app.py", 0);
	world_put(world, "deep/good", "../app.py", 0);
	world_put(world, "absolute", "/etc/passwd", 0);
	world_put(world, "above", "..", 0);
	world_put(world, "deep/above", "../../x", 0);
	world_put(world, "deep/tricky", "a/../../../x", 0);
	world_commit(world);
	world_ok(make(world, &err), &err);
	expect_mode(world, "good", S_IFLNK | 0777);
	expect_mode(world, "deep/good", S_IFLNK | 0777);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		owned(free) char *path = inside(world, bad[i]);

		assert_int_not_equal(faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW), 0);
	}
}

static void does_nothing_for_a_layer_that_is_there(void **state)
{
	struct world *world = *state;
	owned(free) char *path = NULL;
	struct stat before;
	struct stat after;
	struct err err = ERR_INIT;

	world_put(world, "app.py", "", 0644);
	world_commit(world);
	world_ok(make(world, &err), &err);
	path = inside(world, "app.py");
	assert_int_equal(stat(path, &before), 0);
	world_ok(make(world, &err), &err);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void writes_many_files(void **state)
{
	struct world *world = *state;
	struct err err = ERR_INIT;

	for (int i = 0; i < 100; i++) {
		owned(free) char *path = mem_format("d%d/f%d", i % 10, i);

		world_put(world, path, "x", 0644);
	}
	world_commit(world);
	world_ok(make(world, &err), &err);
	expect_mode(world, "d9/f99", S_IFREG | 0644);
}

static void leaves_nothing_where_it_fails(void **state)
{
	struct world *world = *state;
	owned(free) char *layers = mem_format("%s/layers", world->path);
	struct err err = ERR_INIT;

	world_put(world, "app.py", "", 0644);
	world_commit(world);
	memset(world->commit, '0', 40);
	assert_int_equal(make(world, &err), -1);
	assert_int_equal(err.kind, ERR_NO_REVISION);
	assert_int_equal(rmdir(layers), 0); /* it is empty */
	assert_int_equal(mkdir(layers, 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_files_folders_and_programs, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_links_that_stay_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(does_nothing_for_a_layer_that_is_there, setup,
						teardown),
		cmocka_unit_test_setup_teardown(writes_many_files, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_nothing_where_it_fails, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
