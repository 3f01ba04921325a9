#include "rows.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "route/route.h"

/* A data directory with a Space me/demo, and the table of a hub that leads to its app. */
struct place {
	struct datadir dir;
	struct store *store;
	char *path;
	struct route *route;
};

static void lead_to(struct place *place, const char *slug)
{
	struct err err = ERR_INIT;

	assert_ok(route_set(place->route, slug, ROUTE_RUNNING, ROUTE_PUBLIC, 1, 7860, &err));
}

static void place_begin(struct scratch *scratch, struct place *place)
{
	struct err err = ERR_INIT;

	*place = (struct place){.dir = DATADIR_INIT, .store = scratch->store};
	place->dir.path = scratch->dir;
	place->dir.fd = open(scratch->dir, O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(place->dir.fd, "run", 0700), 0);
	place->path = mem_format("%s/run/routes", scratch->dir);
	assert_ok(route_open(place->path, getgid(), &place->route, &err));
	rows_write(scratch, "INSERT INTO spaces (repo_id, hex, full_name, slug, flavor, stage)"
			    " VALUES (5, 'b', 'me/demo', 'me-demo', 'cpu-basic', 'RUNNING')");
	lead_to(place, "me-demo");
}

static void place_end(struct place *place)
{
	route_close(place->route);
	free(place->path);
	close(place->dir.fd);
}

/* The hub dies, and another one starts. */
static void start_anew(struct place *place)
{
	struct err err = ERR_INIT;

	route_close(take(place->route));
	assert_ok(route_open(place->path, getgid(), &place->route, &err));
}

/* All that is said; --repair leaves the table to the hub, so that it says the same. */
static void expect(struct place *place, const char *said)
{
	for (int repairs = 0; repairs < 2; repairs++) {
		struct checking checking;
		struct err err = ERR_INIT;

		checking_begin(&checking);
		checking.checkup.dir = &place->dir;
		checking.checkup.store = place->store;
		checking.checkup.repairs = repairs;
		assert_ok(checkup_routes(&checking.checkup, &err));
		assert_string_equal(checking_text(&checking), said);
		checking_end(&checking);
	}
}

/* The only entry that is in use is left as by a writer that died inside of it. */
static void write_half(struct place *place)
{
	owned(close) int fd = open(place->path, O_RDWR | O_CLOEXEC);
	struct route_table *table =
		mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct route_entry *entry = table->entries;

	assert_ptr_not_equal(table, MAP_FAILED);
	while (atomic_load(&entry->state) == ROUTE_EMPTY)
		entry++;
	atomic_fetch_add(&entry->sequence, 1);
	assert_int_equal(munmap(table, sizeof(*table)), 0);
}

static void what_the_hub_wrote_is_good(void **state)
{
	struct place place;

	place_begin(scratch_of(state), &place);
	expect(&place, "");
	place_end(&place);
}

static void an_entry_that_is_half_written_is_named_until_the_next_start(void **state)
{
	struct place place;

	place_begin(scratch_of(state), &place);
	write_half(&place);
	expect(&place, "warning: route of me-demo: it is half written; the next start of the hub "
		       "mends it\n");
	start_anew(&place);
	expect(&place, "");
	place_end(&place);
}

static void an_entry_of_a_space_that_is_gone_is_named_until_it_is_forgotten(void **state)
{
	struct place place;

	place_begin(scratch_of(state), &place);
	lead_to(&place, "me-gone");
	expect(&place, "warning: route of me-gone: its Space is gone; the next `espaced stop` "
		       "forgets it\n");
	start_anew(&place);
	expect(&place, "warning: route of me-gone: its Space is gone; the next `espaced stop` "
		       "forgets it\n");
	route_remove(place.route, "me-gone");
	expect(&place, "");
	place_end(&place);
}

static void a_table_of_another_version_is_named_until_the_next_start(void **state)
{
	static const uint32_t magic = ROUTE_MAGIC + 1;
	struct place place;

	place_begin(scratch_of(state), &place);
	owned(close) int fd = open(place.path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &magic, sizeof(magic), 0), sizeof(magic));
	expect(&place, "warning: run/routes: it is of another version; restart the hub\n");
	start_anew(&place);
	expect(&place, "");
	place_end(&place);
}

static void a_table_that_is_cut_is_named_until_the_next_start(void **state)
{
	struct place place;

	place_begin(scratch_of(state), &place);
	assert_int_equal(truncate(place.path, sizeof(struct route_table) - 1), 0);
	expect(&place, "problem: run/routes: it is cut; restart the hub\n");
	assert_int_equal(truncate(place.path, 0), 0);
	expect(&place, "problem: run/routes: it is cut; restart the hub\n");
	start_anew(&place);
	expect(&place, "");
	place_end(&place);
}

static void nothing_is_said_where_nothing_is_up(void **state)
{
	struct place place;

	place_begin(scratch_of(state), &place);
	lead_to(&place, "me-gone");
	place.store = NULL;
	expect(&place, "");
	place.store = scratch_of(state)->store;
	assert_int_equal(unlinkat(place.dir.fd, "run/routes", 0), 0);
	expect(&place, "");
	place_end(&place);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_the_hub_wrote_is_good),
		CASE(an_entry_that_is_half_written_is_named_until_the_next_start),
		CASE(an_entry_of_a_space_that_is_gone_is_named_until_it_is_forgotten),
		CASE(a_table_of_another_version_is_named_until_the_next_start),
		CASE(a_table_that_is_cut_is_named_until_the_next_start),
		CASE(nothing_is_said_where_nothing_is_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
