#include "test.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/datadir.h"
#include "base/file.h"
#include "base/mem.h"

#include "machine.h"

#define POOL 0x0ad50000u /* 10.213.0.0 */
#define IDS  200000u

static bool alone;

static int setup(void **state)
{
	struct err err = ERR_INIT;

	if (!alone)
		return 0;
	return file_remove_tree(AT_FDCWD, "/run/espace", &err) < 0 ||
			       file_remove_tree(AT_FDCWD, "/srv/t", &err) < 0 ||
			       mkdir("/srv/t", 0755) < 0
		       ? -1
		       : 0;
}

static void claim(const char *path)
{
	struct err err = ERR_INIT;

	if (datadir_claim(path, POOL, IDS, &err) < 0)
		fail_msg("%s", err.text);
}

static void check(const char *path, mode_t mode, uid_t owner, gid_t group)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, mode);
	assert_int_equal(st.st_uid, owner);
	assert_int_equal(st.st_gid, group);
}

static void claim_makes_what_open_reads(void **state)
{
	owned(datadir_done) struct datadir dir = DATADIR_INIT;
	struct err err = ERR_INIT;

	if (!alone)
		skip();
	claim("/srv/t/data/");
	assert_int_equal(datadir_open("/srv/t/data//", &dir, &err), 0);
	assert_string_equal(dir.path, "/srv/t/data");
	assert_int_equal(strlen(dir.instance), 6);
	assert_int_equal(dir.network, POOL);
	assert_int_equal(dir.block, 0);
	assert_int_equal(dir.ids_base, IDS);
	assert_int_equal(dir.owner, getpwnam("espace")->pw_uid);
	assert_int_equal(dir.www, getgrnam("espace-www")->gr_gid);
	assert_int_equal(dir.www_user, getpwnam("espace-www")->pw_uid);
}

static void folders_have_their_owners_and_modes(void **state)
{
	owned(datadir_done) struct datadir dir = DATADIR_INIT;
	struct err err = ERR_INIT;

	if (!alone)
		skip();
	umask(077); /* must not matter */
	claim("/srv/t/data");
	claim("/srv/t/data"); /* and again */
	umask(022);
	assert_int_equal(chdir("/srv/t/data"), 0);
	assert_int_equal(datadir_open(".", &dir, &err), 0);
	assert_string_equal(dir.path, "/srv/t/data");
	check(".", 0711, dir.owner, dir.group);
	check("repos", 0700, dir.owner, dir.group);
	check("lfs", 0750, dir.owner, dir.www);
	check("xet", 0750, dir.owner, dir.www);
	check("static", 0750, dir.owner, dir.www);
	check("layers", 0711, dir.owner, dir.group);
	check("spaces", 0711, dir.owner, dir.group);
	check("images", 0711, 0, 0);
	check("cache", 0711, 0, 0);
	check("run", 0711, 0, 0);
	assert_int_equal(chdir("/"), 0);
}

static void a_directory_of_something_else_is_left_alone(void **state)
{
	struct err err = ERR_INIT;

	if (!alone)
		skip();
	assert_int_equal(file_make_dirs(AT_FDCWD, "/srv/t/home/me", 0755, &err), 0);
	assert_int_equal(datadir_claim("/srv/t/home", POOL, IDS, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	check("/srv/t/home", 0755, 0, 0);
}

static void settings_may_lie_there_before(void **state)
{
	struct err err = ERR_INIT;

	if (!alone)
		skip();
	assert_int_equal(mkdir("/srv/t/data", 0755), 0);
	assert_int_equal(file_write(AT_FDCWD, "/srv/t/data/espace.conf", "", 0, 0644, &err), 0);
	claim("/srv/t/data");
}

static void links_in_place_of_folders_are_refused(void **state)
{
	struct err err = ERR_INIT;

	if (!alone)
		skip();
	assert_int_equal(mkdir("/srv/t/victim", 0700), 0);
	claim("/srv/t/data");
	assert_int_equal(rmdir("/srv/t/data/lfs"), 0);
	assert_int_equal(symlink("/srv/t/victim", "/srv/t/data/lfs"), 0);
	assert_int_equal(datadir_claim("/srv/t/data", POOL, IDS, &err), -1);
	check("/srv/t/victim", 0700, 0, 0);
}

static void a_closed_parent_is_refused_with_a_sentence(void **state)
{
	struct datadir dir = DATADIR_INIT;
	struct err err = ERR_INIT;

	if (!alone)
		skip();
	claim("/srv/t/above/data");
	assert_int_equal(chmod("/srv/t/above", 0700), 0);
	assert_int_equal(datadir_open("/srv/t/above/data", &dir, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "other users can't search /srv/t/above:"));
	assert_int_equal(datadir_claim("/srv/t/above/data", POOL, IDS, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	datadir_done(&dir);
}

static void what_is_no_data_directory_says_how_to_make_one(void **state)
{
	struct datadir dir = DATADIR_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(datadir_open("/no/such/place", &dir, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "espaced --data /no/such/place init"));
	assert_int_equal(datadir_open("/usr", &dir, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(datadir_open("/etc/passwd", &dir, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_null(dir.path);
}

static void the_owner_can_open_it_and_not_claim_it(void **state)
{
	int status;

	if (!alone)
		skip();
	claim("/srv/t/data");

	pid_t pid = fork();

	if (pid == 0) {
		struct datadir dir = DATADIR_INIT;
		struct err err = ERR_INIT;

		if (setuid(getpwnam("espace")->pw_uid) < 0 ||
		    datadir_open("/srv/t/data", &dir, &err) < 0)
			_exit(1);
		datadir_done(&dir);
		_exit(datadir_claim("/srv/t/data", POOL, IDS, &err) == 0 || err.kind != ERR_DENIED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void slots_have_addresses_and_ids_of_their_own(void **state)
{
	struct datadir dir = {.fd = -1, .network = POOL, .block = 0, .ids_base = IDS};
	struct datadir next = {
		.fd = -1, .network = POOL + DATADIR_SLOTS, .block = 1, .ids_base = IDS};

	assert_int_equal(datadir_address(&dir, 2), POOL + 2);
	assert_int_equal(datadir_ids(&dir, 2) - datadir_ids(&dir, 1), DATADIR_RANGE);
	assert_true(datadir_ids(&dir, 0) >= IDS + DATADIR_RANGE); /* the layers' range is free */
	assert_int_equal(datadir_ids(&next, 0),
			 datadir_ids(&dir, DATADIR_SLOTS - 1) + DATADIR_RANGE);
	next.block = DATADIR_BLOCKS - 1;
	assert_true(datadir_ids(&next, DATADIR_SLOTS - 1) >
		    datadir_ids(&next, 0)); /* no overflow */
}

static void paths_are_within_it(void **state)
{
	char root[] = "/srv/x";
	struct datadir dir = {.path = root, .fd = -1};
	owned(free) char *path = datadir_path(&dir, "spaces/%s/logs/run-%d.log", "abc", 7);

	assert_string_equal(path, "/srv/x/spaces/abc/logs/run-7.log");
}

static void releasing_nothing_closes_nothing(void **state)
{
	struct datadir zero = {0};

	datadir_done(&zero);
	assert_true(fcntl(0, F_GETFD) >= 0);
	assert_int_equal(zero.fd, -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(claim_makes_what_open_reads),
		TEST(folders_have_their_owners_and_modes),
		TEST(a_directory_of_something_else_is_left_alone),
		TEST(settings_may_lie_there_before),
		TEST(links_in_place_of_folders_are_refused),
		TEST(a_closed_parent_is_refused_with_a_sentence),
		TEST(what_is_no_data_directory_says_how_to_make_one),
		TEST(the_owner_can_open_it_and_not_claim_it),
		TEST(slots_have_addresses_and_ids_of_their_own),
		TEST(paths_are_within_it),
		TEST(releasing_nothing_closes_nothing),
	};

	alone = machine_become() && getpwnam("espace") && getpwnam("espace-www");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
