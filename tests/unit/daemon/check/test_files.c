#include "checking.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../scratch_dir.h"

/* A data directory of ours alone. */
struct place {
	struct datadir dir;
	struct checking checking;
};

static int set_up(void **state)
{
	struct place *place = mem_new(struct place);
	struct err err = ERR_INIT;

	scratch_dir_make(&place->dir);
	place->dir.owner = getuid();
	place->dir.group = place->dir.www = getgid();
	assert_int_equal(fchmod(place->dir.fd, 0711), 0);
	for (const char *const *name =
		     (const char *const[]){"repos", "lfs", "xet", "static", "spaces", NULL};
	     *name; name++)
		assert_int_equal(mkdirat(place->dir.fd, *name, 0700), 0);
	assert_int_equal(fchmodat(place->dir.fd, "spaces", 0711, 0), 0);
	for (const char *const *name = (const char *const[]){"lfs", "xet", "static", NULL}; *name;
	     name++)
		assert_int_equal(fchmodat(place->dir.fd, *name, 0750, 0), 0);
	assert_int_equal(file_write(place->dir.fd, "secret.key", "k", 1, 0400, &err), 0);
	checking_begin(&place->checking);
	place->checking.checkup.dir = &place->dir;
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	checking_end(&place->checking);
	scratch_dir_remove(&place->dir);
	free(place);
	return 0;
}

static const char *look(struct place *place)
{
	struct err err = ERR_INIT;

	assert_int_equal(checkup_files(&place->checking.checkup, &err), 0);
	return checking_text(&place->checking);
}

static mode_t mode_of(const struct place *place, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(place->dir.fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

static void good_ones_are_not_mentioned(void **state)
{
	assert_string_equal(look(*state), "");
}

static void an_open_secret_is_closed(void **state)
{
	struct place *place = *state;

	assert_int_equal(fchmodat(place->dir.fd, "secret.key", 0644, 0), 0);
	assert_non_null(strstr(look(place), "problem: secret.key: owner "));
	place->checking.checkup.repairs = true;
	assert_non_null(strstr(look(place), "mended: secret.key: owner "));
	assert_int_equal(mode_of(place, "secret.key"), 0400);
}

static void a_folder_gets_what_it_lacks(void **state)
{
	struct place *place = *state;

	place->checking.checkup.repairs = true;
	assert_int_equal(fchmodat(place->dir.fd, "spaces", 0700, 0), 0);
	assert_non_null(strstr(look(place), "mended: spaces: owner "));
	assert_int_equal(mode_of(place, "spaces"), 0711);
}

static void a_file_deep_inside_is_found(void **state)
{
	struct place *place = *state;
	struct err err = ERR_INIT;

	place->checking.checkup.repairs = true;
	assert_int_equal(file_make_dirs(place->dir.fd, "repos/a.git/refs", 0700, &err), 0);
	assert_int_equal(file_write(place->dir.fd, "repos/a.git/refs/x", "x", 1, 0600, &err), 0);
	assert_int_equal(fchmodat(place->dir.fd, "repos/a.git/refs/x", 0666, 0), 0);
	assert_non_null(strstr(look(place), "mended: repos/a.git/refs/x: owner "));
	assert_int_equal(mode_of(place, "repos/a.git/refs/x"), 0644);
}

/* It could be a file of root's, linked here by whoever may write here. */
static void a_file_with_other_names_is_not_given_away(void **state)
{
	struct place *place = *state;
	struct err err = ERR_INIT;

	place->checking.checkup.repairs = true;
	assert_int_equal(file_write(place->dir.fd, "elsewhere", "x", 1, 0600, &err), 0);
	assert_int_equal(linkat(place->dir.fd, "elsewhere", place->dir.fd, "repos/x", 0), 0);
	assert_int_equal(fchmodat(place->dir.fd, "repos/x", 0666, 0), 0);
	assert_non_null(strstr(look(place), "it has other names: chown it by hand"));
	assert_int_equal(mode_of(place, "repos/x"), 0666);
}

static void the_disk_of_a_space_is_roots(void **state)
{
	struct place *place = *state;
	struct err err = ERR_INIT;

	assert_int_equal(file_make_dirs(place->dir.fd, "spaces/a", 0700, &err), 0);
	assert_int_equal(file_write(place->dir.fd, "spaces/a/data.img", "x", 1, 0666, &err), 0);
	assert_int_equal(fchmodat(place->dir.fd, "spaces/a/data.img", 0666, 0), 0);
	assert_string_equal(look(place), "");
}

/* After an edit by hand; who runs this may be root or not. */
static void roots_settings_are_right_where_the_hub_can_read_them(void **state)
{
	struct place *place = *state;
	struct err err = ERR_INIT;

	place->dir.owner = getuid() + 1;
	assert_int_equal(file_write(place->dir.fd, "espace.conf", "x", 1, 0600, &err), 0);
	assert_non_null(strstr(look(place), "problem: espace.conf: owner "));
	checking_end(&place->checking);
	checking_begin(&place->checking);
	place->checking.checkup.dir = &place->dir;
	assert_int_equal(fchmodat(place->dir.fd, "espace.conf", 0644, 0), 0);
	assert_int_equal(!strstr(look(place), "espace.conf"), getuid() == 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(good_ones_are_not_mentioned),
		CASE(an_open_secret_is_closed),
		CASE(a_folder_gets_what_it_lacks),
		CASE(a_file_deep_inside_is_found),
		CASE(a_file_with_other_names_is_not_given_away),
		CASE(the_disk_of_a_space_is_roots),
		CASE(roots_settings_are_right_where_the_hub_can_read_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
