#include "world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"

void world_ok(int result, const struct err *err)
{
	if (result < 0)
		fail_msg("%s: %s", err_kind_name(err->kind), err->text);
}

/* Run git in the work tree whose repository is the world's. */
static void run_git(const struct world *world, const char *const *args, struct str *output)
{
	owned(free) char *dir = mem_format("--git-dir=%s", world->git_path);
	owned(free) char *tree = mem_format("--work-tree=%s/tree", world->path);
	const char *argv[16] = {"git", dir, tree, "-c", "user.name=t", "-c", "user.email=t@t"};
	struct err err = ERR_INIT;

	for (size_t i = 0; args[i]; i++)
		argv[7 + i] = args[i];
	world_ok(proc_run(argv, NULL, output, &err), &err);
}

struct world *world_new(void)
{
	struct world *world = mem_new(struct world);
	struct err err = ERR_INIT;

	world->path = mem_text("/tmp/espace-build-XXXXXX");
	assert_non_null(mkdtemp(world->path));
	world->git_path = mem_format("%s/repo.git", world->path);
	world_ok(git_init(world->git_path, &err), &err);
	return world;
}

void world_free(struct world *world)
{
	struct err err = ERR_INIT;

	git_close(world->git);
	world_ok(file_remove_tree(AT_FDCWD, world->path, &err), &err);
	free(world->git_path);
	free(world->path);
	free(world);
}

void world_put(struct world *world, const char *path, const char *text, unsigned mode)
{
	owned(free) char *whole = mem_format("%s/tree/%s", world->path, path);
	owned(free) char *folder = mem_text(whole);
	struct err err = ERR_INIT;

	*strrchr(folder, '/') = '\0';
	world_ok(file_make_dirs(AT_FDCWD, folder, 0755, &err), &err);
	unlink(whole);
	if (!text)
		return;
	if (mode == 0)
		assert_int_equal(symlink(text, whole), 0);
	else
		world_ok(file_write(AT_FDCWD, whole, text, strlen(text), mode, &err), &err);
}

void world_commit(struct world *world)
{
	owned(str_done) struct str output = str_new(1 << 16);
	struct err err = ERR_INIT;

	run_git(world, (const char *[]){"add", "-A", NULL}, &output);
	run_git(world, (const char *[]){"commit", "-q", "--allow-empty", "-m", "x", NULL}, &output);
	git_close(world->git);
	world_ok(git_open(world->git_path, &world->git, &err), &err);
	world_ok(git_resolve(world->git, "main", world->commit, &err), &err);
}
