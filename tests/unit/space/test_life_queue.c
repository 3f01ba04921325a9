#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "hand.h"
#include "space/place.h"
#include "space/wish.h"

/* A machine with one card, which two flavors give, and two others. */
static const char yaml[] =
	"- {name: cpu-basic, title: b, cpu: 1, memory: 1}\n"
	"- {name: card, title: c, cpu: 1, memory: 1, cards: [a.b/gpu=0],\n"
	"   accelerator: {type: gpu, model: m, manufacturer: x, quantity: 1, vram: 1}}\n"
	"- {name: card-large, title: c, cpu: 2, memory: 2, cards: [a.b/gpu=0],\n"
	"   accelerator: {type: gpu, model: m, manufacturer: x, quantity: 1, vram: 1}}\n"
	"- {name: twin, title: t, cpu: 1, memory: 1, cards: [c.d/gpu=0, c.d/gpu=1],\n"
	"   accelerator: {type: gpu, model: m, manufacturer: x, quantity: 1, vram: 1}}\n"
	"- {name: twins, title: t, cpu: 1, memory: 1, cards: [c.d/gpu=0, c.d/gpu=1],\n"
	"   accelerator: {type: gpu, model: m, manufacturer: x, quantity: 2, vram: 2}}\n";

static struct hand *hand;
static struct hardware *hardware;
static struct app apps[3];
static struct repo holder, other; /* both run; the first one has the card */
static struct err err;

static struct repo run_app(const char *name, struct app *app)
{
	struct repo repo = world_space(hand->world, name);

	app_init(app);
	app_open(app);
	hand_push_app(hand, &repo, app, "print(1)\n");
	hand_wait(hand, &repo, STAGE_RUNNING);
	return repo;
}

/* As the API does it. */
static void ask_for(const struct repo *repo, const char *flavor)
{
	struct store_tx *tx = world_begin(hand->world);
	enum place_verdict verdict;
	struct places places;
	int changed;

	world_ok(place_find(store_tx_db(tx), hardware, repo->id, flavor, &verdict, &places, &err),
		 &err);
	changed = verdict == PLACE_BUSY
			  ? wish_hardware_later(store_tx_db(tx), repo->id, flavor, 0, &err)
			  : wish_hardware(store_tx_db(tx), repo->id, flavor, 0, &err);
	world_ok(changed, &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo->id);
}

static void pause_it(const struct repo *repo)
{
	struct store_tx *tx = world_begin(hand->world);

	world_ok(wish_pause(store_tx_db(tx), repo->id, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo->id);
}

static void change_secret(const struct repo *repo)
{
	struct store_tx *tx = world_begin(hand->world);

	world_ok(wish_keys(store_tx_db(tx), repo->id, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo->id);
}

/* Wait until the Space runs on a flavor. */
static struct space wait_for(const struct repo *repo, const char *flavor)
{
	int64_t since_ms = clock_mono_ms();
	struct space space;

	for (;;) {
		space = hand_wait(hand, repo, STAGE_RUNNING);
		if (strcmp(space.current_flavor, flavor) == 0)
			return space;
		if (clock_mono_ms() - since_ms > 30000)
			fail_msg("%s runs on %s, not %s", repo->full_name, space.current_flavor,
				 flavor);
	}
}

static int64_t position(const struct repo *repo)
{
	struct store_read *read = NULL;
	struct place_wait wait;

	world_ok(store_read_begin(hand->world->store, &read, &err), &err);
	world_ok(place_look(store_read_db(read), hardware, repo->id, &wait, &err), &err);
	store_read_end(read);
	return wait.position;
}

/* The run that was submitted last. */
static const struct engine_spec *newest(void)
{
	return hand_submission(hand, hand_submissions(hand) - 1);
}

static int setup(void **state)
{
	err = ERR_INIT;
	world_ok(hardware_parse(yaml, strlen(yaml), &hardware, &err), &err);
	hand = hand_new();
	hand_stop(hand);
	hand->config.hardware = hardware;
	hand->config.settle_ms = 1;
	hand_start(hand);
	holder = hand_running(hand, "holder", &apps[0]);
	other = run_app("other", &apps[1]);
	ask_for(&holder, "card");
	wait_for(&holder, "card");
	return 0;
}

static int teardown(void **state)
{
	hand_free(hand);
	hardware_free(hardware);
	app_done(&apps[0]);
	app_done(&apps[1]);
	return 0;
}

static void the_engine_is_told_the_card(void **state)
{
	assert_int_equal(newest()->device_count, 1);
	assert_string_equal(newest()->devices[0], "a.b/gpu=0");
}

static void an_upgrade_waits_and_the_old_version_serves_on(void **state)
{
	struct space space;
	char key[ENGINE_KEY_ROOM];

	snprintf(key, sizeof(key), "%s", hand_submission(hand, 2)->key);
	ask_for(&other, "card-large");
	assert_int_equal(position(&other), 1);
	assert_int_equal(hand_ask(hand, "me-other", NULL), SPACE_WHO_ADDRESS);
	space = world_get(hand->world, other.id);
	assert_int_equal(space.stage, STAGE_RUNNING);
	assert_string_equal(space.flavor, "card-large");
	assert_string_equal(space.current_flavor, "cpu-basic");
	assert_int_equal(hand_stops(hand, key), 0);
	pause_it(&holder);
	wait_for(&other, "card-large");
	assert_int_equal(hand_stops(hand, key), 1);
	assert_int_equal(position(&other), 0);
	assert_string_equal(newest()->devices[0], "a.b/gpu=0");
}

static void who_waits_without_a_version_shows_that_it_is_to_start(void **state)
{
	ask_for(&other, "card");
	change_secret(&other); /* what runs must not keep the old one */
	hand_wait(hand, &other, STAGE_APP_STARTING);
	assert_int_equal(position(&other), 1);
	ask_for(&holder, "cpu-basic");
	wait_for(&other, "card");
	wait_for(&holder, "cpu-basic");
}

/* The run before has ended when the next one is asked for; and nobody who waits comes between. */
static void expect_same_card(const char *old_key, void (*change)(void))
{
	ask_for(&other, "card");
	change();
	hand_wait_stop(hand, old_key);
	wait_for(&holder, "card");
	assert_string_not_equal(newest()->key, old_key);
	assert_string_equal(newest()->space, holder.hex);
	assert_string_equal(newest()->devices[0], "a.b/gpu=0");
	assert_int_equal(position(&other), 1);
	assert_int_equal(position(&holder), 0);
	assert_string_equal(world_get(hand->world, other.id).current_flavor, "cpu-basic");
}

static void push_new_version(void)
{
	hand_push_app(hand, &holder, &apps[0], "print(2)\n");
	hand_wait(hand, &holder, STAGE_RUNNING);
}

static void a_push_goes_on_with_its_own_card(void **state)
{
	char key[ENGINE_KEY_ROOM];

	snprintf(key, sizeof(key), "%s", newest()->key);
	expect_same_card(key, push_new_version);
}

static void restart(void)
{
	hand_restart(hand, &holder, false);
	hand_wait(hand, &holder, STAGE_RUNNING);
}

static void a_restart_goes_on_with_its_own_card(void **state)
{
	char key[ENGINE_KEY_ROOM];

	snprintf(key, sizeof(key), "%s", newest()->key);
	expect_same_card(key, restart);
}

static void set_secret(void)
{
	change_secret(&holder);
	hand_wait(hand, &holder, STAGE_RUNNING);
}

static void a_secret_goes_to_a_new_run_on_the_same_card(void **state)
{
	char key[ENGINE_KEY_ROOM];

	snprintf(key, sizeof(key), "%s", newest()->key);
	expect_same_card(key, set_secret);
}

static void an_app_that_dies_for_good_gives_its_card_back(void **state)
{
	ask_for(&other, "card");
	for (int i = 0; i < 5; i++) { /* LIFE_CRASHES_MAX */
		hand_wait(hand, &holder, STAGE_RUNNING);
		hand_end_app(hand, newest(), 1, false, NULL);
		hand_wait(hand, &holder, i < 4 ? STAGE_APP_STARTING : STAGE_RUNTIME_ERROR);
	}
	wait_for(&other, "card");
}

/* `holder` has one of the twins, `other` waits for both, and a third one behind it for one. */
static struct repo wait_behind_other(void)
{
	struct repo third = run_app("third", &apps[2]);

	ask_for(&holder, "twin");
	wait_for(&holder, "twin");
	ask_for(&other, "twins");
	ask_for(&third, "twin");
	hand_settle(hand);
	assert_int_equal(position(&other), 1);
	assert_int_equal(position(&third), 2);
	return third;
}

/* Nobody's run ends, yet others may go on. */
static void who_leaves_the_queue_makes_room_behind(void **state)
{
	struct repo third = wait_behind_other();

	ask_for(&other, "cpu-basic");
	wait_for(&third, "twin");
	assert_string_equal(wait_for(&other, "cpu-basic").flavor, "cpu-basic");
	app_done(&apps[2]);
}

static void who_wants_less_than_before_makes_room_behind(void **state)
{
	struct repo third = wait_behind_other();

	pause_it(&holder);
	wait_for(&other, "twins");
	hand_restart(hand, &holder, false); /* behind third */
	hand_wait(hand, &holder, STAGE_APP_STARTING);
	ask_for(&other, "card-large"); /* which nobody has now */
	wait_for(&third, "twin");
	wait_for(&holder, "twin");
	wait_for(&other, "card-large");
	app_done(&apps[2]);
}

static void a_new_hub_knows_who_has_the_card_and_who_waits(void **state)
{
	ask_for(&other, "card");
	hand_stop(hand);
	hand_start(hand); /* its engine knows no run: all are lost and start anew */
	wait_for(&holder, "card");
	hand_wait(hand, &other, STAGE_APP_STARTING);
	assert_int_equal(position(&other), 1);
	hand_delete(hand, &holder);
	hand_wait_gone(hand, &holder);
	wait_for(&other, "card");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_engine_is_told_the_card),
		TEST(an_upgrade_waits_and_the_old_version_serves_on),
		TEST(who_waits_without_a_version_shows_that_it_is_to_start),
		TEST(a_push_goes_on_with_its_own_card),
		TEST(a_restart_goes_on_with_its_own_card),
		TEST(a_secret_goes_to_a_new_run_on_the_same_card),
		TEST(an_app_that_dies_for_good_gives_its_card_back),
		TEST(who_leaves_the_queue_makes_room_behind),
		TEST(who_wants_less_than_before_makes_room_behind),
		TEST(a_new_hub_knows_who_has_the_card_and_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
