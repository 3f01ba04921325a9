#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "route/route.h"

/*
 * The worker's steps are a few nanoseconds apart: a wrong order would hardly ever be seen. So in
 * this file each of them may lose the processor first.
 */
static void stumble(void)
{
	static _Thread_local uint32_t random = 2463534242U; /* xorshift32 (Marsaglia 2003) */

	random ^= random << 13;
	random ^= random >> 17;
	random ^= random << 5;
	if (random % 8 == 0)
		sched_yield();
}

#undef atomic_load
#undef atomic_fetch_add
#undef atomic_fetch_sub
#define atomic_load(object) (stumble(), atomic_load_explicit(object, memory_order_seq_cst))
#define atomic_fetch_add(object, value) \
	(stumble(), atomic_fetch_add_explicit(object, value, memory_order_seq_cst))
#define atomic_fetch_sub(object, value) \
	(stumble(), atomic_fetch_sub_explicit(object, value, memory_order_seq_cst))

#include "route/lookup.h"

/*
 * The order of design 9 under load, for TSan as well: workers visit without pause while the hub
 * puts the Space to sleep again and again, and moves it from one address to another. What may never
 * be seen: a visit at an app that sleeps, and a visit at an address whose run was stopped.
 *
 * ESPACE_TEST_FULL=1 in the environment makes it long.
 */
enum { WORKERS = 3, APPS = 2, PAUSE = 4, ROUNDS = 2000, ROUNDS_FULL = 10000 };

struct stage {
	struct route_table *table;
	struct route_key key;
	_Atomic bool up[APPS]; /* may app i be visited? */
	_Atomic uint64_t lost; /* visits that met an app which was not up */
	_Atomic uint64_t served;
	_Atomic bool over;
};

struct worker {
	struct stage *stage;
	unsigned row;
};

static void visit_once(struct stage *stage, unsigned row)
{
	struct route_entry *entry = route_find(stage->table, &stage->key);
	struct route_counters *counters;
	struct route_target target;

	if (!entry)
		return;
	counters = route_counters_of(stage->table, row, entry);
	if (!route_enter(entry, counters, &stage->key, 1, &target))
		return;
	if (target.state == ROUTE_RUNNING) {
		for (int i = 0; i < 3; i++) {
			if (!atomic_load(&stage->up[target.address]))
				atomic_fetch_add(&stage->lost, 1);
		}
		atomic_fetch_add(&stage->served, 1);
	}
	route_leave(counters, target.side, 10, 2);
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	while (!atomic_load(&worker->stage->over)) {
		visit_once(worker->stage, worker->row);
		for (int i = 0; i < PAUSE; i++) /* or the hub would meet no quiet moment */
			sched_yield();
	}
	return NULL;
}

static void set(struct route *route, enum route_state state, unsigned app)
{
	struct err err = ERR_INIT;

	assert_int_equal(route_set(route, "me-demo", state, ROUTE_PUBLIC, app, 1, &err), 0);
}

/* Try to put the app to sleep. Returns whether it did. */
static bool sleep_and_wake(struct stage *stage, struct route *route, unsigned app)
{
	struct route_usage before, after;
	bool idle;

	assert_true(route_usage(route, "me-demo", &before));
	set(route, ROUTE_DRAIN, app);
	assert_true(route_usage(route, "me-demo", &after));
	idle = after.open == 0 && after.requests == before.requests;
	if (idle) {
		atomic_store(&stage->up[app], false);
		set(route, ROUTE_ASK, app);
		sched_yield();
		atomic_store(&stage->up[app], true);
	}
	set(route, ROUTE_RUNNING, app);
	return idle;
}

/* Route before stop, stop after route. */
static void move(struct stage *stage, struct route *route, unsigned from, unsigned to)
{
	atomic_store(&stage->up[to], true);
	set(route, ROUTE_RUNNING, to);
	while (route_open_at(route, "me-demo", from, 1) > 0)
		sched_yield();
	atomic_store(&stage->up[from], false);
}

static void claim_rows(struct route_table *table)
{
	uint64_t id = route_worker_id((uint32_t)getpid(), proc_start_time(getpid()));

	for (unsigned row = 0; row < WORKERS; row++)
		atomic_store(&table->workers[row].owner, id);
}

static struct route_table *map(const char *path)
{
	owned(close) int fd = open(path, O_RDWR | O_CLOEXEC);
	void *mapped =
		mmap(NULL, sizeof(struct route_table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(mapped, MAP_FAILED);
	return mapped;
}

static void play(struct stage *stage, struct route *route)
{
	const char *full = getenv("ESPACE_TEST_FULL");
	int rounds = full && *full ? ROUNDS_FULL : ROUNDS;
	unsigned app = 0;
	int slept = 0;

	for (int round = 0; round < rounds; round++) {
		slept += sleep_and_wake(stage, route, app);
		move(stage, route, app, 1 - app);
		app = 1 - app;
	}
	print_message("%d of %d sleeps succeeded, %llu visits\n", slept, rounds,
		      (unsigned long long)atomic_load(&stage->served));
}

static void no_visit_meets_an_app_that_sleeps_or_was_stopped(void **state)
{
	char dir[] = "/tmp/test-route-XXXXXX";
	owned(route_close) struct route *route = NULL;
	owned(free) char *path = NULL;
	struct stage stage = {.up = {true, false}};
	struct worker workers[WORKERS];
	pthread_t threads[WORKERS];
	struct route_usage usage;
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(dir));
	path = mem_format("%s/routes", dir);
	assert_int_equal(route_open(path, getgid(), &route, &err), 0);
	stage.table = map(path);
	claim_rows(stage.table);
	assert_true(route_key_init(&stage.key, "me-demo", strlen("me-demo")));
	set(route, ROUTE_RUNNING, 0);

	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){.stage = &stage, .row = i};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	play(&stage, route);
	atomic_store(&stage.over, true);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);

	assert_int_equal(atomic_load(&stage.lost), 0);
	assert_true(atomic_load(&stage.served) > 0);
	assert_true(route_usage(route, "me-demo", &usage));
	assert_int_equal(usage.open, 0);
	munmap(stage.table, sizeof(*stage.table));
	assert_int_equal(file_remove_tree(AT_FDCWD, dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_visit_meets_an_app_that_sleeps_or_was_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
