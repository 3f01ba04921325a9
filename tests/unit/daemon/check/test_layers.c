#include "checking.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../scratch_dir.h"

#define APP "layers/app-0123456789abcdef01234567-0123456789abcdef0123456789abcdef01234567"

/* A data directory with a base system and the layers of one app, all of them ours. */
struct place {
	struct datadir dir;
	struct checking checking;
};

static void make(const struct place *place, const char *path)
{
	assert_int_equal(mkdirat(place->dir.fd, path, 0755), 0);
	assert_int_equal(fchmodat(place->dir.fd, path, 0755, 0), 0);
}

static int set_up(void **state)
{
	struct place *place = mem_new(struct place);

	scratch_dir_make(&place->dir);
	place->dir.owner = getuid();
	place->dir.ids_base = getuid();
	make(place, "layers");
	make(place, "layers/base-0123456789ab");
	make(place, "layers/env-1");
	make(place, APP);
	assert_int_equal(symlinkat("base-0123456789ab", place->dir.fd, "layers/base"), 0);
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

	assert_int_equal(checkup_layers(&place->checking.checkup, &err), 0);
	return checking_text(&place->checking);
}

static void good_ones_are_not_mentioned(void **state)
{
	assert_string_equal(look(*state), "");
}

static void a_base_that_is_not_there_is_named(void **state)
{
	struct place *place = *state;

	assert_int_equal(unlinkat(place->dir.fd, "layers/base-0123456789ab", AT_REMOVEDIR), 0);
	assert_non_null(strstr(look(place), "problem: layers/base: it names a base system"));
}

static void one_that_others_may_write_is_named(void **state)
{
	struct place *place = *state;

	assert_int_equal(fchmodat(place->dir.fd, APP, 0777, 0), 0);
	assert_non_null(strstr(look(place), "problem: " APP ": others than its owner may write"));
}

static void one_of_a_foreign_owner_is_named(void **state)
{
	struct place *place = *state;

	place->dir.owner = getuid() + 1;
	assert_non_null(strstr(look(place), "problem: " APP ": it belongs to user"));
}

static void unfinished_ones_count_once_nobody_works_on_them(void **state)
{
	struct place *place = *state;

	make(place, APP ".tmp-12345678");
	place->checking.checkup.hub_runs = true;
	assert_string_equal(look(place), "");
	place->checking.checkup.hub_runs = false;
	assert_non_null(
		strstr(look(place), "warning: " APP ".tmp-12345678: it was never finished"));
}

static void foreign_things_are_named(void **state)
{
	struct place *place = *state;

	make(place, "layers/notes");
	assert_non_null(strstr(look(place), "warning: layers/notes: it is no layer of ours"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(good_ones_are_not_mentioned),
		CASE(a_base_that_is_not_there_is_named),
		CASE(one_that_others_may_write_is_named),
		CASE(one_of_a_foreign_owner_is_named),
		CASE(unfinished_ones_count_once_nobody_works_on_them),
		CASE(foreign_things_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
