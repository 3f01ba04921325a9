#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "route/lookup.h"
#include "route/route.h"

/* The hub's handle, and the table as a worker of nginx maps it. */
struct fixture {
	char *dir;
	char *path;
	struct route *route;
	struct route_table *table;
};

static struct route_table *map(const char *path)
{
	owned(close) int fd = open(path, O_RDWR | O_CLOEXEC);
	void *mapped;

	assert_true(fd >= 0);
	mapped = mmap(NULL, sizeof(struct route_table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(mapped, MAP_FAILED);
	return mapped;
}

static int setup(void **state)
{
	struct fixture *fixture = mem_new(struct fixture);
	struct err err = ERR_INIT;

	fixture->dir = mem_text("/tmp/test-route-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	fixture->path = mem_format("%s/routes", fixture->dir);
	assert_int_equal(route_open(fixture->path, getgid(), &fixture->route, &err), 0);
	fixture->table = map(fixture->path);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct err err = ERR_INIT;

	munmap(fixture->table, sizeof(*fixture->table));
	route_close(fixture->route);
	assert_int_equal(file_remove_tree(AT_FDCWD, fixture->dir, &err), 0);
	free(fixture->path);
	free(fixture->dir);
	free(fixture);
	return 0;
}

static void set(struct fixture *fixture, const char *slug, enum route_state state, uint32_t address)
{
	struct err err = ERR_INIT;

	assert_int_equal(route_set(fixture->route, slug, state, ROUTE_PUBLIC, address, 7860, &err),
			 0);
}

static struct route_usage usage_of(struct fixture *fixture, const char *slug)
{
	struct route_usage usage;

	assert_true(route_usage(fixture->route, slug, &usage));
	return usage;
}

static struct route_entry *entry_of(struct fixture *fixture, const char *slug)
{
	struct route_key key = {0};

	assert_true(route_key_init(&key, slug, strlen(slug)));
	return route_find(fixture->table, &key);
}

static struct route_counters *counters_of(struct fixture *fixture, const char *slug, unsigned row)
{
	return route_counters_of(fixture->table, row, entry_of(fixture, slug));
}

static struct route_target visit(struct fixture *fixture, const char *slug, unsigned row)
{
	struct route_target target;
	struct route_key key = {0};

	assert_true(route_key_init(&key, slug, strlen(slug)));
	assert_true(route_enter(entry_of(fixture, slug), counters_of(fixture, slug, row), &key,
				1000, &target));
	return target;
}

/* Row `row` belongs to this process. */
static void claim(struct fixture *fixture, unsigned row)
{
	uint64_t id = route_worker_id((uint32_t)getpid(), proc_start_time(getpid()));

	atomic_store(&fixture->table->workers[row].owner, id);
}

static void a_new_table_is_for_the_group_alone(void **state)
{
	struct fixture *fixture = *state;
	struct stat status;

	assert_int_equal(stat(fixture->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	assert_int_equal(status.st_gid, getgid());
}

static void a_worker_sees_what_the_hub_set(void **state)
{
	struct fixture *fixture = *state;
	struct route_target target;

	set(fixture, "me-demo", ROUTE_RUNNING, 0x0ad50002);
	target = visit(fixture, "me-demo", 0);
	assert_int_equal(target.state, ROUTE_RUNNING);
	assert_int_equal(target.address, 0x0ad50002);
	assert_int_equal(target.port, 7860);
	assert_int_equal(target.access, ROUTE_PUBLIC);
}

static void refuses_a_slug_that_is_no_label(void **state)
{
	struct fixture *fixture = *state;
	struct err err = ERR_INIT;

	assert_int_equal(route_set(fixture->route, "a.b", ROUTE_ASK, ROUTE_PUBLIC, 0, 0, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void a_removed_slug_is_unknown_and_may_come_back(void **state)
{
	struct fixture *fixture = *state;
	struct route_usage usage;
	struct route_entry *first;

	set(fixture, "me-demo", ROUTE_RUNNING, 1);
	first = entry_of(fixture, "me-demo");
	route_remove(fixture->route, "me-demo");
	assert_false(route_usage(fixture->route, "me-demo", &usage));
	assert_int_equal(visit(fixture, "me-demo", 0).state, ROUTE_GONE);

	set(fixture, "me-demo", ROUTE_RUNNING, 1);
	assert_ptr_equal(entry_of(fixture, "me-demo"), first);
	assert_int_equal(visit(fixture, "me-demo", 0).state, ROUTE_RUNNING);
}

static void removing_what_is_unknown_is_no_error(void **state)
{
	struct fixture *fixture = *state;

	route_remove(fixture->route, "nobody");
	route_remove(fixture->route, "no.label");
}

static void sums_the_rows_of_living_workers_only(void **state)
{
	struct fixture *fixture = *state;

	set(fixture, "me-demo", ROUTE_RUNNING, 1);
	claim(fixture, 0);
	claim(fixture, 1);
	/* A process that has our pid, but started at another time, is another process. */
	atomic_store(&fixture->table->workers[2].owner,
		     route_worker_id((uint32_t)getpid(), proc_start_time(getpid()) - 1));
	for (unsigned row = 0; row < 4; row++)
		visit(fixture, "me-demo", row);
	assert_int_equal(usage_of(fixture, "me-demo").open, 2);
	assert_int_equal(usage_of(fixture, "me-demo").requests, 2);
	assert_int_equal(usage_of(fixture, "me-demo").activity_ms, 1000);
}

static uint64_t open_at(struct fixture *fixture, uint32_t address)
{
	return route_open_at(fixture->route, "me-demo", address, 7860);
}

static void tells_who_is_still_at_each_address_before(void **state)
{
	struct fixture *fixture = *state;
	struct route_target visits[ROUTE_SIDES];

	claim(fixture, 0);
	for (uint32_t i = 0; i < ROUTE_SIDES; i++) {
		set(fixture, "me-demo", ROUTE_RUNNING, i + 1);
		visits[i] = visit(fixture, "me-demo", 0);
		assert_int_equal(visits[i].address, i + 1);
	}
	assert_int_equal(usage_of(fixture, "me-demo").open, ROUTE_SIDES);
	for (uint32_t i = 0; i < ROUTE_SIDES; i++) {
		assert_int_equal(open_at(fixture, i + 1), 1);
		route_leave(counters_of(fixture, "me-demo", 0), visits[i].side, 0, 2000);
		assert_int_equal(open_at(fixture, i + 1), 0);
	}
	assert_int_equal(usage_of(fixture, "me-demo").open, 0);
}

static void nobody_is_at_an_address_that_the_slug_never_had(void **state)
{
	struct fixture *fixture = *state;

	claim(fixture, 0);
	set(fixture, "me-demo", ROUTE_RUNNING, 1);
	visit(fixture, "me-demo", 0);
	assert_int_equal(open_at(fixture, 2), 0);
	assert_int_equal(route_open_at(fixture->route, "me-demo", 1, 7861), 0);
	assert_int_equal(route_open_at(fixture->route, "me-other", 1, 7860), 0);
}

static void tells_which_answers_lead_to_a_next_call(void **state)
{
	struct fixture *fixture = *state;
	struct route_counters *counters;

	claim(fixture, 0);
	set(fixture, "me-demo", ROUTE_RUNNING, 1);
	counters = counters_of(fixture, "me-demo", 0);
	route_opening(counters);
	route_opening(counters);
	assert_int_equal(usage_of(fixture, "me-demo").opening, 2);
	route_not_opened(counters);
	assert_int_equal(usage_of(fixture, "me-demo").opened_ms, 0);
	route_opened(counters, 3000);
	assert_int_equal(usage_of(fixture, "me-demo").opening, 0);
	assert_int_equal(usage_of(fixture, "me-demo").opened_ms, 3000);
}

static void draining_and_going_on_is_no_move(void **state)
{
	struct fixture *fixture = *state;
	unsigned side;

	claim(fixture, 0);
	set(fixture, "me-demo", ROUTE_RUNNING, 1);
	side = visit(fixture, "me-demo", 0).side;
	set(fixture, "me-demo", ROUTE_DRAIN, 0);
	set(fixture, "me-demo", ROUTE_HANDOVER, 1);
	set(fixture, "me-demo", ROUTE_RUNNING, 1);
	assert_int_equal(visit(fixture, "me-demo", 0).side, side);
	assert_int_equal(open_at(fixture, 1), 2);
}

static void the_table_outlives_the_hub(void **state)
{
	struct fixture *fixture = *state;
	struct err err = ERR_INIT;

	claim(fixture, 0);
	set(fixture, "me-demo", ROUTE_RUNNING, 1);
	visit(fixture, "me-demo", 0);
	route_close(fixture->route);
	assert_int_equal(route_open(fixture->path, getgid(), &fixture->route, &err), 0);
	assert_int_equal(usage_of(fixture, "me-demo").open, 1);
	assert_int_equal(visit(fixture, "me-demo", 0).state, ROUTE_RUNNING);
}

static void repairs_what_a_crash_left_half_written(void **state)
{
	struct fixture *fixture = *state;
	struct err err = ERR_INIT;

	set(fixture, "me-demo", ROUTE_RUNNING, 1);
	atomic_fetch_add(&entry_of(fixture, "me-demo")->sequence, 1);
	atomic_fetch_add(&fixture->table->entries[0].sequence, 1);
	route_close(fixture->route);
	assert_int_equal(route_open(fixture->path, getgid(), &fixture->route, &err), 0);
	assert_int_equal(visit(fixture, "me-demo", 0).state, ROUTE_ASK);
	assert_int_equal(fixture->table->entries[0].state, ROUTE_GONE);
}

static void a_table_of_another_layout_is_replaced(void **state)
{
	struct fixture *fixture = *state;
	struct err err = ERR_INIT;
	struct route_usage usage;

	set(fixture, "me-demo", ROUTE_RUNNING, 1);
	fixture->table->magic++;
	route_close(fixture->route);
	assert_int_equal(route_open(fixture->path, getgid(), &fixture->route, &err), 0);
	assert_false(route_usage(fixture->route, "me-demo", &usage));
	/* Workers of before still map theirs, as it was. */
	assert_int_equal(entry_of(fixture, "me-demo")->state, ROUTE_RUNNING);
}

static void is_full_where_no_place_is_left_nearby(void **state)
{
	struct fixture *fixture = *state;
	struct err err = ERR_INIT;
	char slug[16];
	int count = 0, result = 0;

	while (result == 0 && count <= ROUTE_ENTRIES) {
		snprintf(slug, sizeof(slug), "space-%d", count++);
		result = route_set(fixture->route, slug, ROUTE_ASK, ROUTE_PUBLIC, 0, 0, &err);
	}
	assert_int_equal(result, -1);
	assert_int_equal(err.kind, ERR_FULL);
	assert_true(count > ROUTE_ENTRIES * 3 / 4);
	/* One given up nearby makes room again, but not while a visit to it is open. */
	for (int i = 0; i < count - 1; i++) {
		snprintf(slug, sizeof(slug), "space-%d", i);
		route_remove(fixture->route, slug);
	}
	set(fixture, "me-demo", ROUTE_RUNNING, 1);
}

static void a_place_with_open_visits_is_not_given_to_another(void **state)
{
	struct fixture *fixture = *state;
	struct route_entry *place;
	struct err err = ERR_INIT;

	claim(fixture, 0);
	set(fixture, "me-demo", ROUTE_RUNNING, 1);
	place = entry_of(fixture, "me-demo");
	visit(fixture, "me-demo", 0);
	route_remove(fixture->route, "me-demo");
	for (int i = 0; i < ROUTE_ENTRIES / 2; i++) {
		char slug[16];

		snprintf(slug, sizeof(slug), "space-%d", i);
		assert_int_equal(
			route_set(fixture->route, slug, ROUTE_ASK, ROUTE_PUBLIC, 0, 0, &err), 0);
		assert_ptr_not_equal(entry_of(fixture, slug), place);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_table_is_for_the_group_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_worker_sees_what_the_hub_set, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_slug_that_is_no_label, setup, teardown),
		cmocka_unit_test_setup_teardown(a_removed_slug_is_unknown_and_may_come_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(removing_what_is_unknown_is_no_error, setup,
						teardown),
		cmocka_unit_test_setup_teardown(sums_the_rows_of_living_workers_only, setup,
						teardown),
		cmocka_unit_test_setup_teardown(tells_who_is_still_at_each_address_before, setup,
						teardown),
		cmocka_unit_test_setup_teardown(nobody_is_at_an_address_that_the_slug_never_had,
						setup, teardown),
		cmocka_unit_test_setup_teardown(tells_which_answers_lead_to_a_next_call, setup,
						teardown),
		cmocka_unit_test_setup_teardown(draining_and_going_on_is_no_move, setup, teardown),
		cmocka_unit_test_setup_teardown(the_table_outlives_the_hub, setup, teardown),
		cmocka_unit_test_setup_teardown(repairs_what_a_crash_left_half_written, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_table_of_another_layout_is_replaced, setup,
						teardown),
		cmocka_unit_test_setup_teardown(is_full_where_no_place_is_left_nearby, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_place_with_open_visits_is_not_given_to_another,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
