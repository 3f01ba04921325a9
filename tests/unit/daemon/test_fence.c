#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/fence.h"
#include "outcome.h"

/* A data directory beside a file that is none of its business. */
struct world {
	char dir[32];
	char *data;
	char *inside;
	char *outside;
	char *link;
	bool fenced; /* this kernel has Landlock */
};

static int enter(const struct world *world, int *version)
{
	const struct fence_path paths[] = {
		{world->data, FENCE_WRITE},
		{"/usr/bin/git", FENCE_RUN},
		{"/lib64/ld-linux-x86-64.so.2", FENCE_RUN},
		{"/lib/ld-linux-aarch64.so.1", FENCE_RUN},
		{"/usr", FENCE_READ},
		{"/etc/ld.so.cache", FENCE_READ},
		{"/dev/null", FENCE_WRITE},
		{"/nowhere", FENCE_READ},
	};
	struct err err = ERR_INIT;

	return fence_enter(paths, sizeof(paths) / sizeof(paths[0]), version, &err);
}

static int ask_version(const void *arg)
{
	int version;

	return enter(arg, &version) < 0 ? 255 : version;
}

static int set_up(void **state)
{
	struct world *world = mem_new(struct world);
	struct err err = ERR_INIT;

	snprintf(world->dir, sizeof(world->dir), "/tmp/test-fence-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	world->data = mem_format("%s/data", world->dir);
	world->inside = mem_format("%s/data/file", world->dir);
	world->outside = mem_format("%s/secret", world->dir);
	world->link = mem_format("%s/data/link", world->dir);
	assert_int_equal(mkdir(world->data, 0755), 0);
	assert_int_equal(file_write(AT_FDCWD, world->inside, "x", 1, 0644, &err), 0);
	assert_int_equal(file_write(AT_FDCWD, world->outside, "x", 1, 0644, &err), 0);
	assert_int_equal(symlink(world->outside, world->link), 0);

	int version = outcome_of(ask_version, world);

	assert_in_range(version, 0, 254);
	world->fenced = version > 0;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	struct err err = ERR_INIT;

	assert_int_equal(file_remove_tree(AT_FDCWD, world->dir, &err), 0);
	free(world->data);
	free(world->inside);
	free(world->outside);
	free(world->link);
	free(world);
	return 0;
}

/* One thing that is tried behind the fence: 0 or its errno. */
struct attempt {
	const struct world *world;
	int (*act)(const struct world *world);
};

static int try(const void *arg)
{
	const struct attempt *attempt = arg;
	int version;

	if (enter(attempt->world, &version) < 0)
		return 255;
	errno = 0;
	return attempt->act(attempt->world) < 0 ? errno : 0;
}

static void assert_outcome(const struct world *world, int (*act)(const struct world *world),
			   int expected)
{
	struct attempt attempt = {.world = world, .act = act};

	assert_int_equal(outcome_of(try, &attempt), world->fenced ? expected : 0);
}

static int read_shadow(const struct world *world)
{
	return open("/etc/shadow", O_RDONLY | O_CLOEXEC);
}

static int read_outside(const struct world *world)
{
	return open(world->outside, O_RDONLY | O_CLOEXEC);
}

static int write_outside(const struct world *world)
{
	return open(world->outside, O_WRONLY | O_CLOEXEC);
}

static int follow_link_out(const struct world *world)
{
	return open(world->link, O_RDONLY | O_CLOEXEC);
}

static int remove_outside(const struct world *world)
{
	return unlink(world->outside);
}

static int list_outside(const struct world *world)
{
	return open(world->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int write_program(const struct world *world)
{
	return open("/usr/bin/git", O_WRONLY | O_CLOEXEC);
}

static void opens_nothing_outside(void **state)
{
	const struct world *world = *state;

	assert_outcome(world, read_shadow, EACCES);
	assert_outcome(world, read_outside, EACCES);
	assert_outcome(world, write_outside, EACCES);
	assert_outcome(world, follow_link_out, EACCES);
	assert_outcome(world, list_outside, EACCES);
	assert_outcome(world, write_program, EACCES);
	assert_outcome(world, remove_outside, EACCES);
}

static int work_inside(const struct world *world)
{
	owned(free) char *folder = mem_format("%s/new", world->data);
	owned(free) char *moved = mem_format("%s/new/file", world->data);
	owned(free) char *linked = mem_format("%s/again", world->data);
	owned(close) int fd = open(world->inside, O_RDWR | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, "y", 1) != 1 || ftruncate(fd, 0) < 0 || mkdir(folder, 0700) < 0 ||
	    rename(world->inside, moved) < 0 || link(moved, linked) < 0 || unlink(moved) < 0 ||
	    rename(linked, world->inside) < 0)
		return -1;
	return rmdir(folder);
}

static void does_its_work_inside(void **state)
{
	assert_outcome(*state, work_inside, 0);
}

static int make_fifo(const struct world *world)
{
	owned(free) char *path = mem_format("%s/fifo", world->data);
	int result = mkfifo(path, 0600);

	if (result == 0)
		unlink(path);
	return result;
}

static void makes_no_special_files(void **state)
{
	assert_outcome(*state, make_fifo, EACCES);
}

static int run(const char *program)
{
	char *const argv[] = {(char *)program, "--version", NULL};
	char *const env[] = {NULL};
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		execve(program, argv, env);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static int run_git(const struct world *world)
{
	return run("/usr/bin/git");
}

static int run_sort(const struct world *world)
{
	return run("/usr/bin/sort");
}

static void runs_git_and_nothing_else(void **state)
{
	assert_outcome(*state, run_git, 0);
	assert_outcome(*state, run_sort, EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opens_nothing_outside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(does_its_work_inside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(makes_no_special_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(runs_git_and_nothing_else, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
