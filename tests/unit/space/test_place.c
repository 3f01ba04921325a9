#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "space/place.h"
#include "space/wish.h"
#include "world.h"

/* Two cards that three flavors share, and a flavor of which one may run at once. */
static const char yaml[] =
	"- {name: cpu-basic, title: b, cpu: 1, memory: 1}\n"
	"- {name: one, title: o, cpu: 1, memory: 1, cards: [a.b/gpu=0, a.b/gpu=1],\n"
	"   accelerator: {type: gpu, model: m, manufacturer: x, quantity: 1, vram: 1}}\n"
	"- {name: other, title: o, cpu: 1, memory: 1, cards: [a.b/gpu=1],\n"
	"   accelerator: {type: gpu, model: m, manufacturer: x, quantity: 1, vram: 1}}\n"
	"- {name: both, title: o, cpu: 1, memory: 1, cards: [a.b/gpu=0, a.b/gpu=1],\n"
	"   accelerator: {type: gpu, model: m, manufacturer: x, quantity: 2, vram: 1}}\n"
	"- {name: single, title: s, cpu: 1, memory: 1, count: 1}\n";

static struct world *world;
static struct hardware *hardware;
static struct store_tx *tx;
static struct store_db *db;
static struct repo first, second, third;
static struct err err;

/* Spaces that have something to run. */
static void set_running(void)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "UPDATE spaces SET stage = 'RUNNING', settled = 0");

	world_ok(store_step(query, &err), &err);
}

static int setup(void **state)
{
	world = world_new();
	first = world_space(world, "first");
	second = world_space(world, "second");
	third = world_space(world, "third");
	err = ERR_INIT;
	world_ok(hardware_parse(yaml, strlen(yaml), &hardware, &err), &err);
	tx = world_begin(world);
	db = store_tx_db(tx);
	set_running();
	return 0;
}

static int teardown(void **state)
{
	store_tx_end(tx);
	hardware_free(hardware);
	world_free(world);
	return 0;
}

static enum place_verdict find(const struct repo *repo, const char *flavor, struct places *places)
{
	enum place_verdict verdict;
	struct places ignored;

	world_ok(place_find(db, hardware, repo->id, flavor, &verdict, places ? places : &ignored,
			    &err),
		 &err);
	return verdict;
}

/* What the Space wants; the run that it has is not of that wish. */
static void want(const struct repo *repo, const char *flavor)
{
	world_ok(wish_hardware(db, repo->id, flavor, 0, &err), &err);
}

/* A run of the Space's wish, on the places that are free for it. */
static struct runrow start(const struct repo *repo, const char *flavor)
{
	struct runrow row = {.kind = ENGINE_APP, .repo_id = repo->id, .log = 1};
	struct places places;
	struct space space;
	static int count;

	want(repo, flavor);
	world_ok(space_get(db, repo->id, &space, &err), &err);
	row.generation = space.generation;
	row.restart_nonce = space.restart_nonce;
	snprintf(row.key, sizeof(row.key), "run-%d", ++count);
	snprintf(row.flavor, sizeof(row.flavor), "%s", flavor);
	assert_int_equal(find(repo, flavor, &places), PLACE_FREE);
	world_ok(runrow_add(db, &row, &err), &err);
	world_ok(place_take(db, &row, &places, &err), &err);
	return row;
}

static void end(const struct runrow *row)
{
	world_ok(runrow_ended(db, row, 0, 0, "", &err), &err);
	assert_int_equal(place_release(db, hardware, row, &err), 1);
}

static void wait(const struct repo *repo, const char *flavor)
{
	want(repo, flavor);
	assert_int_equal(find(repo, flavor, NULL), PLACE_BUSY);
	world_ok(place_wait(db, repo->id, &err), &err);
}

static int64_t position(const struct repo *repo)
{
	struct place_wait wait;

	world_ok(place_look(db, hardware, repo->id, &wait, &err), &err);
	return wait.position;
}

static void what_is_not_counted_is_always_free(void **state)
{
	struct places places;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(find(&first, "cpu-basic", &places), PLACE_FREE);
		assert_int_equal(places.count, 0);
	}
	assert_int_equal(find(&first, "no-more-there", &places), PLACE_FREE);
}

static void a_card_is_given_once(void **state)
{
	struct runrow row = start(&first, "one");
	struct places places;

	start(&second, "one");
	world_ok(place_of_run(db, row.id, &places, &err), &err);
	assert_int_equal(places.count, 1);
	assert_string_equal(places.items[0].name, "a.b/gpu=0");
	assert_int_equal(find(&third, "one", NULL), PLACE_BUSY);
	assert_int_equal(find(&third, "other", NULL), PLACE_BUSY);
	assert_int_equal(find(&third, "both", NULL), PLACE_BUSY);
	assert_int_equal(find(&third, "single", NULL), PLACE_FREE);
	row.repo_id = third.id;
	assert_int_equal(place_take(db, &row, &places, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
}

static void an_end_frees_it_for_who_came_first(void **state)
{
	struct runrow holder = start(&first, "single");

	wait(&second, "single");
	wait(&third, "single");
	assert_int_equal(position(&second), 1);
	assert_int_equal(position(&third), 2);
	assert_int_equal(position(&first), 0);
	want(&first, "cpu-basic");
	end(&holder);
	assert_int_equal(find(&third, "single", NULL), PLACE_BUSY);
	assert_int_equal(find(&first, "single", NULL), PLACE_BUSY);
	assert_int_equal(find(&second, "single", NULL), PLACE_FREE);
	start(&second, "single");
	assert_int_equal(position(&second), 0);
	assert_int_equal(position(&third), 1);
}

static void who_goes_on_with_a_card_keeps_it(void **state)
{
	struct runrow holder = start(&first, "one");

	start(&second, "one");
	wait(&third, "one");
	assert_int_equal(find(&first, "one", NULL), PLACE_OWN);
	want(&first, "both"); /* a card less would not do, but the one is a part of it */
	end(&holder);
	assert_int_equal(find(&third, "one", NULL), PLACE_BUSY);
	assert_int_equal(position(&first), 1);
	want(&first, "one");
	assert_int_equal(find(&first, "one", NULL), PLACE_FREE);
}

static void who_pauses_or_is_done_gives_it_back(void **state)
{
	struct runrow holder = start(&first, "single");
	struct space space;

	wait(&second, "single");
	world_ok(wish_pause(db, first.id, &err), &err);
	end(&holder);
	assert_int_equal(position(&first), 0);
	holder = start(&second, "single");
	world_ok(space_get(db, second.id, &space, &err), &err);
	world_ok(space_settle(db, &space, &err), &err);
	end(&holder);
	assert_int_equal(position(&second), 0);
	assert_int_equal(find(&third, "single", NULL), PLACE_FREE);
}

static void a_newer_run_on_another_card_needs_no_place_kept(void **state)
{
	struct runrow old = start(&first, "one");
	struct space space;
	struct runrow row;

	want(&first, "cpu-basic"); /* another generation */
	row = start(&first, "one");
	assert_int_equal(find(&second, "one", NULL), PLACE_BUSY);
	end(&old);
	world_ok(space_get(db, first.id, &space, &err), &err);
	assert_int_equal(row.generation, space.generation);
	assert_int_equal(position(&first), 0);
	assert_int_equal(find(&second, "one", NULL), PLACE_FREE);
}

static void nobody_overtakes_who_needs_more(void **state)
{
	struct runrow holder = start(&first, "one");

	wait(&second, "both");
	assert_int_equal(find(&third, "one", NULL), PLACE_BUSY);
	assert_int_equal(find(&third, "single", NULL), PLACE_FREE); /* nothing in common */
	want(&first, "cpu-basic");
	end(&holder);
	assert_int_equal(find(&second, "both", NULL), PLACE_FREE);
}

static void who_left_the_queue_is_not_waited_for(void **state)
{
	struct place_wait look;

	start(&first, "single");
	wait(&second, "single");
	wait(&third, "single");
	world_ok(place_look(db, hardware, third.id, &look, &err), &err);
	assert_int_equal(look.waiting, 2);
	assert_int_equal(look.taken, 1);
	assert_int_equal(look.all, 1);
	assert_true(look.since_ms > 0);
	world_ok(wish_pause(db, second.id, &err), &err);
	assert_int_equal(position(&third), 1);
	world_ok(place_leave(db, third.id, &err), &err);
	assert_int_equal(place_waits(db, third.id, &err), 0);
	assert_int_equal(position(&third), 0);
}

static void waiting_again_keeps_the_place(void **state)
{
	start(&first, "single");
	wait(&second, "single");
	wait(&third, "single");
	world_ok(place_wait(db, second.id, &err), &err);
	assert_int_equal(position(&second), 1);
	assert_int_equal(place_waits(db, second.id, &err), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_counted_is_always_free),
		TEST(a_card_is_given_once),
		TEST(an_end_frees_it_for_who_came_first),
		TEST(who_goes_on_with_a_card_keeps_it),
		TEST(who_pauses_or_is_done_gives_it_back),
		TEST(a_newer_run_on_another_card_needs_no_place_kept),
		TEST(nobody_overtakes_who_needs_more),
		TEST(who_left_the_queue_is_not_waited_for),
		TEST(waiting_again_keeps_the_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
