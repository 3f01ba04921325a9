#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/limits.h"
#include "api/watch.h"
#include "auth/token.h"
#include "base/mem.h"
#include "base/str.h"
#include "world.h"

enum { QUICK_MS = 5 };

static struct world *world;
static struct watch *watch;
static struct repo repo; /* a Space of the user 1, "me", whose token has the id 1 */

/* The engine's side: each measurement is a second later and has used a quarter more. */
static struct {
	bool runs;
	int64_t count;
	sem_t asked;
} engine;

static void measure(void *arg, int64_t repo_id, space_measured_fn *answer, void *answer_arg)
{
	struct engine_metrics metrics = {.key = "0123456789abcdef01234567-3", .cpu_milli = 1000};

	assert_int_equal(repo_id, repo.id);
	engine.count++;
	metrics.at_ms = engine.count * 1000;
	metrics.cpu_ns = (uint64_t)engine.count * 250 * 1000 * 1000;
	answer(answer_arg, repo_id, engine.runs ? &metrics : NULL);
	sem_post(&engine.asked);
}

static sem_t news; /* of any feed */

static void run_sql(const char *sql)
{
	struct store_tx *tx = world_begin(world);
	struct store_query *query = store_query(store_tx_db(tx), sql);
	struct err err = ERR_INIT;

	store_bind_int(query, repo.id);
	world_ok(store_step(query, &err), &err);
	store_query_end(query);
	world_commit(tx);
}

static void add_token(void)
{
	struct store_tx *tx = world_begin(world);
	const struct token_spec spec = {.name = "t", .role = AUTH_WRITE};
	char value[TOKEN_ROOM];
	struct err err = ERR_INIT;

	world_ok(token_add(store_tx_db(tx), 1, &spec, value, &err), &err);
	world_commit(tx);
}

static int setup(void **state)
{
	struct err err = ERR_INIT;

	world = world_new();
	repo = world_space(world, "watched");
	run_sql("INSERT INTO repos (id, hex, type, owner_id, name, is_private, creator_id,"
		" created_ms, modified_ms) VALUES (?, 'a', 'space', 1, 'watched', 0, 1, 0, 0)");
	add_token();
	engine.runs = true;
	engine.count = 0;
	sem_init(&engine.asked, 0, 0);
	sem_init(&news, 0, 0);
	world_ok(watch_start(&(struct watch_config){.store = world->store,
						    .hardware = world->hardware,
						    .measure = measure,
						    .measure_ms = QUICK_MS,
						    .rights_ms = QUICK_MS},
			     &watch, &err),
		 &err);
	return 0;
}

static int teardown(void **state)
{
	watch_free(watch);
	world_free(world);
	sem_destroy(&engine.asked);
	sem_destroy(&news);
	return 0;
}

static struct watch_viewer viewer(enum watch_kind kind)
{
	return (struct watch_viewer){
		.kind = kind,
		.repo_id = repo.id,
		.right = kind == WATCH_EVENTS ? AUTH_REPO_READ : AUTH_REPO_WRITE,
		.user_id = 1,
		.token_id = 1,
		.caller = "user 1",
		.domain = ".localhost:8080",
	};
}

static struct feed *open_feed(const struct watch_viewer *from)
{
	char ticket[WATCH_TICKET_ROOM];
	struct err err = ERR_INIT;
	struct feed *feed;

	world_ok(watch_open(watch, from, ticket, &err), &err);
	feed = watch_claim(watch, ticket);
	assert_non_null(feed);
	assert_null(watch_claim(watch, ticket));
	return feed;
}

static void post(void *arg, struct feed *feed)
{
	sem_post(&news);
}

/* What comes next, up to `end`, which is waited for; for free(). */
static char *read_until(struct feed *feed, const char *end)
{
	char *text = mem_alloc(FEED_MAX_BYTES + 1);
	size_t length = 0, more;

	feed_listen(feed, post, NULL);
	text[0] = '\0';
	while (length < strlen(end) || strcmp(text + length - strlen(end), end) != 0) {
		/* Byte by byte: what follows is for the next one. */
		enum feed_state state = feed_read(feed, text + length, 1, &more);

		assert_true(state == FEED_DATA || state == FEED_WAIT);
		if (state == FEED_WAIT)
			sem_wait(&news);
		else
			text[++length] = '\0';
	}
	return text;
}

static void assert_next(struct feed *feed, const char *part)
{
	owned(free) char *event = read_until(feed, "}\n\n");

	if (!strstr(event, part))
		fail_msg("%s is not in: %s", part, event);
}

/* What was on its way may still come; then there is the end. */
static void assert_ends(struct feed *feed)
{
	char room[256];
	enum feed_state state;
	size_t length;

	feed_listen(feed, post, NULL);
	while ((state = feed_read(feed, room, sizeof(room), &length)) != FEED_END)
		if (state == FEED_WAIT)
			sem_wait(&news);
}

static void leave(struct feed *feed)
{
	feed_leave(feed);
	feed_unref(feed);
}

static void set_stage(const char *stage)
{
	owned(free) char *sql =
		mem_format("UPDATE spaces SET stage = '%s' WHERE repo_id = ?", stage);

	run_sql(sql);
	watch_changed(watch, repo.id);
}

static void the_first_event_is_the_state(void **state)
{
	struct watch_viewer from = viewer(WATCH_EVENTS);
	struct feed *feed = open_feed(&from);
	owned(free) char *event = read_until(feed, "}\n\n");

	assert_true(str_starts(event, "retry: 2000\n\ndata: {\"stage\":\"NO_APP_FILE\","));
	assert_non_null(strstr(event, "\"domain\":\"me-watched.localhost:8080\""));
	assert_null(strchr(strstr(event, "data: "), '\r'));
	leave(feed);
}

static void each_change_is_one_event(void **state)
{
	struct watch_viewer from = viewer(WATCH_EVENTS);
	struct feed *feed = open_feed(&from);

	assert_next(feed, "NO_APP_FILE");
	watch_changed(watch, repo.id); /* nothing is another */
	set_stage("BUILDING");
	assert_next(feed, "BUILDING");
	watch_changed(watch, repo.id);
	set_stage("PAUSED");
	assert_next(feed, "PAUSED");
	leave(feed);
}

static void a_change_that_nobody_told_is_seen_later(void **state)
{
	struct watch_viewer from = viewer(WATCH_EVENTS);
	struct feed *feed = open_feed(&from);

	assert_next(feed, "NO_APP_FILE");
	run_sql("UPDATE spaces SET stage = 'PAUSED' WHERE repo_id = ?");
	assert_next(feed, "PAUSED");
	leave(feed);
}

static void ends_when_the_token_is_revoked(void **state)
{
	struct watch_viewer from = viewer(WATCH_EVENTS);
	struct feed *feed = open_feed(&from);

	run_sql("UPDATE tokens SET revoked_ms = ?");
	assert_ends(feed);
	leave(feed);
}

static void ends_for_strangers_when_it_becomes_private(void **state)
{
	struct watch_viewer from = viewer(WATCH_EVENTS);
	struct watch_viewer stranger = from;
	struct feed *own = open_feed(&from);
	struct feed *feed;

	stranger.user_id = 0;
	feed = open_feed(&stranger);
	assert_next(feed, "NO_APP_FILE");
	run_sql("UPDATE repos SET is_private = 1 WHERE id = ?");
	assert_ends(feed);
	leave(feed);
	assert_next(own, "NO_APP_FILE");
	set_stage("PAUSED");
	assert_next(own, "PAUSED");
	leave(own);
}

static void ends_when_the_space_is_gone(void **state)
{
	struct watch_viewer events = viewer(WATCH_EVENTS);
	struct watch_viewer metrics = viewer(WATCH_METRICS);
	struct feed *feeds[] = {open_feed(&events), open_feed(&metrics)};

	run_sql("UPDATE spaces SET deleting = 1 WHERE repo_id = ?");
	for (size_t i = 0; i < 2; i++) {
		assert_ends(feeds[i]);
		leave(feeds[i]);
	}
}

static void metrics_come_while_it_runs(void **state)
{
	struct watch_viewer from = viewer(WATCH_METRICS);
	struct feed *feed = open_feed(&from);
	owned(free) char *first = read_until(feed, "}\n\n");

	assert_true(str_starts(first, "retry: 2000\n\nevent: metric\ndata: {\"cpu_usage_pct\":25,"
				      "\"cpu_millicores\":1000,"));
	assert_non_null(strstr(first, "\"replica\":\"3\"}\n\n"));
	assert_next(feed, "event: metric\ndata: {\"cpu_usage_pct\":25,");
	leave(feed);
}

static void nothing_is_said_where_nothing_runs(void **state)
{
	struct watch_viewer from = viewer(WATCH_METRICS);
	struct feed *feed;
	char room[64];
	size_t length;

	engine.runs = false;
	feed = open_feed(&from);
	for (int i = 0; i < 3; i++)
		sem_wait(&engine.asked);
	assert_int_equal(feed_read(feed, room, sizeof(room), &length), FEED_DATA);
	assert_int_equal(length, strlen("retry: 2000\n\n"));
	assert_int_equal(feed_read(feed, room, sizeof(room), &length), FEED_WAIT);
	leave(feed);
}

static void one_measurement_is_for_all(void **state)
{
	struct watch_viewer from = viewer(WATCH_METRICS);
	struct feed *feeds[2];

	for (size_t i = 0; i < 2; i++)
		feeds[i] = open_feed(&from);
	for (size_t i = 0; i < 2; i++) {
		assert_next(feeds[i], "\"cpu_usage_pct\":25,");
		leave(feeds[i]);
	}
}

static void who_has_many_open_must_close_one(void **state)
{
	struct watch_viewer from = viewer(WATCH_EVENTS);
	struct watch_viewer other = from;
	struct feed *feeds[LIMITS_WATCHES_EACH];
	char ticket[WATCH_TICKET_ROOM];
	struct err err = ERR_INIT;
	int result;

	for (size_t i = 0; i < LIMITS_WATCHES_EACH; i++)
		feeds[i] = open_feed(&from);
	assert_int_equal(watch_open(watch, &from, ticket, &err), -1);
	assert_int_equal(err.kind, ERR_SPENT);
	assert_null(watch_claim(watch, ticket));
	other.caller = "user 2";
	leave(open_feed(&other));
	leave(feeds[0]);
	do { /* it is noticed at the next look */
		err = ERR_INIT;
		result = watch_open(watch, &from, ticket, &err);
	} while (result < 0 && err.kind == ERR_SPENT);
	assert_int_equal(result, 0);
	for (size_t i = 1; i < LIMITS_WATCHES_EACH; i++)
		leave(feeds[i]);
}

static void no_ticket_opens_nothing(void **state)
{
	struct watch_viewer from = viewer(WATCH_EVENTS);
	struct feed *feed = open_feed(&from);

	assert_null(watch_claim(watch, "")); /* as one is that was claimed */
	assert_null(watch_claim(watch, "0123456789abcdef0123456789abcdef"));
	leave(feed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_first_event_is_the_state),
		TEST(each_change_is_one_event),
		TEST(a_change_that_nobody_told_is_seen_later),
		TEST(ends_when_the_token_is_revoked),
		TEST(ends_for_strangers_when_it_becomes_private),
		TEST(ends_when_the_space_is_gone),
		TEST(metrics_come_while_it_runs),
		TEST(nothing_is_said_where_nothing_runs),
		TEST(one_measurement_is_for_all),
		TEST(who_has_many_open_must_close_one),
		TEST(no_ticket_opens_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
