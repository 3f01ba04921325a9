#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/mem.h"

static int setup(void **state)
{
	char *dir = mem_text("/tmp/espace-file-XXXXXX");

	*state = dir;
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int teardown(void **state)
{
	struct err err = ERR_INIT;
	int done = chdir("/") < 0 ? -1 : file_remove_tree(AT_FDCWD, *state, &err);

	free(*state);
	return done;
}

static void put(const char *path, const char *text, mode_t mode)
{
	struct err err = ERR_INIT;

	if (file_write(AT_FDCWD, path, text, strlen(text), mode, &err) < 0)
		fail_msg("%s", err.text);
}

static void what_is_written_is_read(void **state)
{
	owned(str_done) struct str text = str_new(100);
	struct err err = ERR_INIT;
	struct stat st;

	umask(077);
	put("a", "one", 0644);
	put("a", "three", 0640);
	umask(022);
	assert_int_equal(file_read(AT_FDCWD, "a", &text, &err), 0);
	assert_string_equal(text.data, "three");
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void big_files_come_whole(void **state)
{
	owned(str_done) struct str text = str_new(1000000);
	owned(free) char *big = mem_alloc(1000000);
	struct err err = ERR_INIT;

	memset(big, 'x', 1000000);
	assert_int_equal(file_write(AT_FDCWD, "big", big, 1000000, 0600, &err), 0);
	assert_int_equal(file_read(AT_FDCWD, "big", &text, &err), 0);
	assert_int_equal(text.length, 1000000);
	str_clear(&text);
	text.max = 999999;
	assert_int_equal(file_read(AT_FDCWD, "big", &text, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static void reading_what_is_missing_is_not_found(void **state)
{
	owned(str_done) struct str text = str_new(100);
	struct err err = ERR_INIT;

	assert_int_equal(file_read(AT_FDCWD, "no/such/file", &text, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err.text, "there is no file");
	assert_int_equal(file_read(AT_FDCWD, ".", &text, &err), -1);
	assert_int_equal(err.kind, ERR_SYSTEM);
}

static void writing_replaces_a_link_and_not_its_target(void **state)
{
	owned(str_done) struct str text = str_new(100);
	struct err err = ERR_INIT;
	struct stat st;

	put("target", "safe", 0600);
	assert_int_equal(symlink("target", "link"), 0);
	put("link", "new", 0600);
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(file_read(AT_FDCWD, "target", &text, &err), 0);
	assert_string_equal(text.data, "safe");
}

static size_t count_entries(const char *path)
{
	owned(closedir) DIR *dir = opendir(path);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	return count - 2; /* "." and ".." */
}

static void a_failed_write_leaves_nothing(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(mkdir("d/full", 0755), 0);
	put("d/full/x", "", 0600);
	assert_int_equal(file_write(AT_FDCWD, "d/full", "x", 1, 0600, &err), -1);
	assert_int_equal(count_entries("d"), 1);
	assert_int_equal(file_write(AT_FDCWD, "missing/x", "x", 1, 0600, &err), -1);
	assert_int_equal(file_write(AT_FDCWD, "d/..", "x", 1, 0600, &err), -1);
	assert_int_equal(file_write(AT_FDCWD, "", "x", 1, 0600, &err), -1);
	assert_int_equal(file_write(AT_FDCWD, "/", "x", 1, 0600, &err), -1);
}

static void paths_are_beneath_the_descriptor(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(file_make_dirs(AT_FDCWD, "base/sub", 0755, &err), 0);

	owned(close) int fd = open("base", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(file_write(fd, "sub/x", "1", 1, 0600, &err), 0);
	assert_true(file_exists(fd, "sub/x"));
	assert_true(file_exists(AT_FDCWD, "base/sub/x"));
	assert_int_equal(file_sync_dir(fd, "sub", &err), 0);
	assert_int_equal(file_remove_tree(fd, "sub", &err), 0);
	assert_false(file_exists(fd, "sub"));
	assert_int_equal(file_sync_dir(fd, "sub", &err), -1);
}

static void folders_are_made_and_kept(void **state)
{
	struct err err = ERR_INIT;
	struct stat st;

	assert_int_equal(file_make_dirs(AT_FDCWD, "a/b/c/", 0711, &err), 0);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(chmod("a", 0700), 0);
	assert_int_equal(file_make_dirs(AT_FDCWD, "a/b", 0755, &err), 0);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	put("a/file", "", 0600);
	assert_int_equal(file_make_dirs(AT_FDCWD, "a/file", 0755, &err), -1);
	assert_int_equal(file_make_dirs(AT_FDCWD, "a/file/x", 0755, &err), -1);
	assert_string_equal(err.text, "make folder file: Not a directory");
	assert_int_equal(file_make_dirs(AT_FDCWD, "", 0755, &err), -1);
	assert_int_equal(file_make_dirs(AT_FDCWD, "/", 0755, &err), 0);
}

static void removing_follows_no_link(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(file_make_dirs(AT_FDCWD, "precious/sub", 0755, &err), 0);
	put("precious/sub/x", "", 0600);
	assert_int_equal(file_make_dirs(AT_FDCWD, "tree/sub", 0755, &err), 0);
	assert_int_equal(symlink("../precious", "tree/link"), 0);
	assert_int_equal(symlink("../../precious/sub/x", "tree/sub/link"), 0);
	assert_int_equal(symlink("nowhere", "tree/dangling"), 0);
	assert_int_equal(mkfifo("tree/fifo", 0600), 0);
	put("tree/-rf", "", 0000);
	assert_int_equal(file_remove_tree(AT_FDCWD, "tree", &err), 0);
	assert_false(file_exists(AT_FDCWD, "tree"));
	assert_true(file_exists(AT_FDCWD, "precious/sub/x"));
}

static void removing_a_link_leaves_its_target(void **state)
{
	struct err err = ERR_INIT;
	struct stat st;

	assert_int_equal(mkdir("precious", 0755), 0);
	put("precious/x", "", 0600);
	assert_int_equal(symlink("precious", "link"), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(file_remove_tree(AT_FDCWD, "link", &err), 0);
	assert_int_equal(file_remove_tree(AT_FDCWD, "dangling", &err), 0);
	assert_int_equal(lstat("dangling", &st), -1);
	assert_true(file_exists(AT_FDCWD, "precious/x"));
}

static void removing_what_is_missing_is_done(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(file_remove_tree(AT_FDCWD, "none", &err), 0);
	assert_int_equal(file_remove_tree(AT_FDCWD, "none/deeper", &err), 0);
}

static void a_place_without_a_name_is_not_removed(void **state)
{
	static const char *const paths[] = {".", "..", "/", "a/..", "a/.", "//"};
	struct err err = ERR_INIT;

	assert_int_equal(mkdir("a", 0755), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(file_remove_tree(AT_FDCWD, paths[i], &err), -1);
	assert_true(file_exists(AT_FDCWD, "a"));
}

/* Deeper than there are descriptors, and longer than PATH_MAX. */
static void deep_trees_are_removed(void **state)
{
	struct err err = ERR_INIT;
	owned(close) int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 3000; i++) {
		assert_int_equal(mkdirat(fd, "d", 0755), 0);

		int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_true(next >= 0);
		close(openat(fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		close(fd);
		fd = next;
	}
	assert_int_equal(file_remove_tree(AT_FDCWD, "d", &err), 0);
	assert_false(file_exists(AT_FDCWD, "d"));
}

/* In a mount namespace of our own, so that a failure leaves nothing mounted. */
static int remove_with_mount(const char *source, const char *type, unsigned long flags)
{
	struct err err = ERR_INIT;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	if (file_make_dirs(AT_FDCWD, "tree/sub/mounted", 0755, &err) < 0 ||
	    file_make_dirs(AT_FDCWD, "precious", 0755, &err) < 0 ||
	    mount(source, "tree/sub/mounted", type, flags, NULL) < 0 ||
	    file_write(AT_FDCWD, "tree/sub/mounted/x", "", 0, 0600, &err) < 0)
		return 1;
	if (file_remove_tree(AT_FDCWD, "tree", &err) == 0 ||
	    !file_exists(AT_FDCWD, "tree/sub/mounted/x") || !strstr(err.text, "a mount is in it"))
		return 2;
	if (file_remove_tree(AT_FDCWD, "tree/sub/mounted", &err) == 0 ||
	    !file_exists(AT_FDCWD, "tree/sub/mounted/x"))
		return 3;
	return 0;
}

static void removing_crosses_no_mount(const char *source, const char *type, unsigned long flags)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(remove_with_mount(source, type, flags));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77)
		skip(); /* needs root */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void removing_crosses_no_file_system(void **state)
{
	removing_crosses_no_mount("none", "tmpfs", 0);
}

static void removing_crosses_no_bind_mount(void **state)
{
	removing_crosses_no_mount("precious", NULL, MS_BIND);
}

static void put_goes_on_after_short_writes(void **state)
{
	owned(free) char *big = mem_alloc(300000);
	struct err err = ERR_INIT;
	char got[4096];
	size_t total = 0;
	int ends[2], status;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);

	pid_t pid = fork();

	if (pid == 0) {
		close(ends[0]);
		_exit(file_put(ends[1], big, 300000, &err) < 0);
	}
	close(ends[1]);
	for (ssize_t n; (n = read(ends[0], got, sizeof(got))) > 0;)
		total += (size_t)n;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(total, 300000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(big_files_come_whole),
		TEST(reading_what_is_missing_is_not_found),
		TEST(writing_replaces_a_link_and_not_its_target),
		TEST(a_failed_write_leaves_nothing),
		TEST(paths_are_beneath_the_descriptor),
		TEST(folders_are_made_and_kept),
		TEST(removing_follows_no_link),
		TEST(removing_a_link_leaves_its_target),
		TEST(removing_what_is_missing_is_done),
		TEST(a_place_without_a_name_is_not_removed),
		TEST(deep_trees_are_removed),
		TEST(removing_crosses_no_file_system),
		TEST(removing_crosses_no_bind_mount),
		TEST(put_goes_on_after_short_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
