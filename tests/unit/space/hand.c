#include "hand.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "build/runlog.h"
#include "engine/fake.h"
#include "repo/change.h"
#include "route/lookup.h"
#include "space/life.h"
#include "space/runrow.h"

enum { LIMIT_MS = 30 * 1000 };

static int make_engine(void *arg, struct loop *base, struct engine **out, struct err *err)
{
	struct hand *hand = arg;
	struct engine_spec spec = {.kind = ENGINE_APP, .log = "run-1.log", .cwd = "/"};

	if (engine_fake_new(base, true, out, err) < 0)
		return -1;
	hand->base = base;
	hand->engine = *out;
	if (!hand->revived)
		return 0;
	memcpy(spec.key, hand->revived->key, sizeof(spec.key));
	snprintf(spec.space, sizeof(spec.space), "%.24s", hand->revived->key);
	spec.port = hand->revived_port;
	spec.argv = (const char *const[]){"/bin/true", NULL};
	spec.env = (const char *const[]){NULL};
	if ((*out)->ops->submit(*out, &spec, err) < 0)
		return -1;
	return hand->revived_frozen ? (*out)->ops->suspend(*out, spec.key, err) : 0;
}

struct hand *hand_new(void)
{
	struct hand *hand = mem_new(struct hand);
	owned(free) char *routes = NULL;
	struct err err = ERR_INIT;

	hand->world = world_new();
	routes = mem_format("%s/run/routes", hand->world->path);
	world_ok(route_open(routes, getgid(), &hand->route, &err), &err);
	hand->config = (struct space_loop_config){
		.store = hand->world->store,
		.route = hand->route,
		.vault = hand->world->vault,
		.dir = hand->world->path,
		.domain = "localhost",
		.port = 8080,
		.hub_url = "http://hub.espace:8080",
		.base = {.python = "/usr/bin/python3.11",
			 .python_version = "3.11",
			 .uv_version = "0.13.9"},
		.hardware = hand->world->hardware,
		.storage_bytes = {UINT64_C(20) << 30, UINT64_C(150) << 30, UINT64_C(1000) << 30},
		.make_engine = make_engine,
		.make_engine_arg = hand,
		.backoff_ms = 1,
		.retry_ms = 1,
	};
	hand_start(hand);
	return hand;
}

void hand_start(struct hand *hand)
{
	struct err err = ERR_INIT;

	world_ok(space_loop_start(&hand->config, &hand->loop, &err), &err);
}

void hand_stop(struct hand *hand)
{
	space_loop_stop(take(hand->loop));
}

void hand_free(struct hand *hand)
{
	hand_stop(hand);
	route_close(hand->route);
	world_free(hand->world);
	free(hand);
}

/* A call in the loop's thread. */
struct call {
	void (*function)(void *arg);
	void *arg;
	sem_t done;
};

static void run_call(void *arg)
{
	struct call *call = arg;

	call->function(call->arg);
	sem_post(&call->done);
}

static void in_loop(struct hand *hand, void (*function)(void *arg), void *arg)
{
	struct call call = {.function = function, .arg = arg};

	sem_init(&call.done, 0, 0);
	loop_post(hand->base, run_call, &call);
	sem_wait(&call.done);
	sem_destroy(&call.done);
}

static void nothing(void *arg)
{
}

/* Let the loop go on; false when the outcome is overdue. */
static bool go_on(struct hand *hand, int64_t since_ms)
{
	in_loop(hand, nothing, NULL);
	return clock_mono_ms() - since_ms < LIMIT_MS;
}

static void put(struct change *change, const char *path, const char *text)
{
	struct err err = ERR_INIT;

	world_ok(change_file_open(change, &err), &err);
	world_ok(change_file_data(change, text, strlen(text), &err), &err);
	world_ok(change_file_close(change, path, &err), &err);
}

static void commit_files(const char *path, const char *readme, const char *app,
			 const char *requirements, char commit[static GIT_HEX])
{
	const struct change_meta meta = {
		.title = "x", .description = "", .author = "me", .email = "me@x"};
	const struct change_seed seed = {"README.md", "# first\n"};
	owned(git_close) struct git *git = NULL;
	owned(change_end) struct change *change = NULL;
	bool fresh = access(path, F_OK) != 0;
	bool moved;
	struct err err = ERR_INIT;

	if (fresh)
		world_ok(git_init(path, &err), &err);
	world_ok(git_open(path, &git, &err), &err);
	if (fresh)
		world_ok(change_seed(git, &seed, 1, &meta, commit, &err), &err);
	world_ok(change_begin(git, "main", &change, &err), &err);
	put(change, "README.md", readme);
	put(change, "requirements.txt", requirements);
	if (app)
		put(change, "app.py", app);
	world_ok(change_commit(change, &meta, commit, &moved, &err), &err);
}

void hand_push(struct hand *hand, const struct repo *repo, const char *card, const char *app,
	       const char *requirements)
{
	owned(free) char *path = mem_format("%s/repos/%s.git", hand->world->path, repo->hex);
	owned(free) char *readme = mem_format("---\n%s---\n", card);
	char commit[GIT_HEX];
	struct store_tx *tx;
	struct err err = ERR_INIT;

	commit_files(path, readme, app, requirements, commit);
	tx = world_begin(hand->world);
	world_ok(space_pushed(store_tx_db(tx), repo->id, commit, &err), &err);
	world_commit(tx);
	if (hand->loop)
		space_loop_wake(hand->loop, repo->id);
}

void hand_restart(struct hand *hand, const struct repo *repo, bool factory)
{
	struct store_tx *tx = world_begin(hand->world);
	struct err err = ERR_INIT;

	world_ok(space_restart(store_tx_db(tx), repo->id, factory, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo->id);
}

void hand_delete(struct hand *hand, const struct repo *repo)
{
	struct store_tx *tx = world_begin(hand->world);
	struct err err = ERR_INIT;

	world_ok(space_delete(store_tx_db(tx), repo->id, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo->id);
}

void hand_set_access(struct hand *hand, struct repo *repo, bool is_private, bool is_protected)
{
	struct store_tx *tx = world_begin(hand->world);
	struct err err = ERR_INIT;

	repo->is_private = is_private;
	repo->is_protected = is_protected;
	world_ok(space_set_access(store_tx_db(tx), repo, &err), &err);
	world_commit(tx);
	space_loop_wake(hand->loop, repo->id);
}

struct space hand_wait(struct hand *hand, const struct repo *repo, enum stage stage)
{
	int64_t since_ms = clock_mono_ms();
	struct space space = world_get(hand->world, repo->id);

	while (space.stage != stage) {
		if (!go_on(hand, since_ms))
			fail_msg("%s is %s (%s), not %s", repo->full_name, stage_name(space.stage),
				 space.error, stage_name(stage));
		space = world_get(hand->world, repo->id);
	}
	return space;
}

void hand_wait_gone(struct hand *hand, const struct repo *repo)
{
	int64_t since_ms = clock_mono_ms();

	while (world_get(hand->world, repo->id).repo_id != 0)
		if (!go_on(hand, since_ms))
			fail_msg("%s is still there", repo->full_name);
}

struct lookup {
	struct hand *hand;
	size_t index;
	bool found;
	const char *key;
	size_t count;
};

static void find_submission(void *arg)
{
	struct lookup *lookup = arg;

	const struct engine_spec *spec =
		engine_fake_submission(lookup->hand->engine, lookup->index);

	lookup->found = spec != NULL;
	if (spec)
		lookup->hand->seen[lookup->index] = *spec;
}

const struct engine_spec *hand_submission(struct hand *hand, size_t index)
{
	struct lookup lookup = {.hand = hand, .index = index};
	int64_t since_ms = clock_mono_ms();

	assert_true(index < HAND_RUNS_MAX);
	for (;;) {
		in_loop(hand, find_submission, &lookup);
		if (lookup.found)
			return &hand->seen[index];
		if (!go_on(hand, since_ms))
			fail_msg("run %zu was never submitted", index);
	}
}

static void count_standing(void *arg)
{
	struct lookup *lookup = arg;

	lookup->count = 0;
	for (const struct life *life = lookup->hand->loop->lives; life; life = life->next)
		lookup->count += life->stands;
}

void hand_wait_standing(struct hand *hand, size_t count)
{
	struct lookup lookup = {.hand = hand};
	int64_t since_ms = clock_mono_ms();

	do {
		in_loop(hand, count_standing, &lookup);
	} while (lookup.count != count && go_on(hand, since_ms));
	assert_int_equal(lookup.count, count);
}

static void count_drops(void *arg)
{
	struct lookup *lookup = arg;

	lookup->count = engine_fake_drops(lookup->hand->engine, lookup->key);
}

size_t hand_drops(struct hand *hand, const struct repo *repo)
{
	struct lookup lookup = {.hand = hand, .key = repo->hex};

	in_loop(hand, count_drops, &lookup);
	return lookup.count;
}

static void fail_drop(void *arg)
{
	struct hand *hand = arg;
	struct err err = ERR_INIT;

	err_set(&err, ERR_BUSY, "it is still in use");
	engine_fake_fail_drop(hand->engine, &err);
}

void hand_fail_drop(struct hand *hand)
{
	in_loop(hand, fail_drop, hand);
}

static void count_submissions(void *arg)
{
	struct lookup *lookup = arg;

	while (engine_fake_submission(lookup->hand->engine, lookup->count))
		lookup->count++;
}

size_t hand_submissions(struct hand *hand)
{
	struct lookup lookup = {.hand = hand};

	in_loop(hand, count_submissions, &lookup);
	return lookup.count;
}

static void count_stops(void *arg)
{
	struct lookup *lookup = arg;

	lookup->count = engine_fake_stops(lookup->hand->engine, lookup->key, NULL);
}

size_t hand_stops(struct hand *hand, const char *key)
{
	struct lookup lookup = {.hand = hand, .key = key};

	in_loop(hand, count_stops, &lookup);
	return lookup.count;
}

void hand_wait_stop(struct hand *hand, const char *key)
{
	int64_t since_ms = clock_mono_ms();

	while (hand_stops(hand, key) == 0)
		if (!go_on(hand, since_ms))
			fail_msg("%s was never stopped", key);
}

struct ending {
	struct hand *hand;
	const char *key;
	int status;
	bool oom;
};

static void end_run(void *arg)
{
	struct ending *ending = arg;
	struct err err = ERR_INIT;

	world_ok(engine_fake_end(ending->hand->engine, ending->key, ending->status, ending->oom, "",
				 &err),
		 &err);
}

static void end(struct hand *hand, const struct engine_spec *spec, int status, bool oom,
		const char *said)
{
	owned(free) char *log =
		mem_format("%s/spaces/%s/logs/%s", hand->world->path, spec->space, spec->log);
	struct ending ending = {hand, spec->key, status, oom};

	if (said)
		runlog_say(log, "%s", said);
	in_loop(hand, end_run, &ending);
}

void hand_end_build(struct hand *hand, const struct engine_spec *spec, int status, const char *said)
{
	owned(free) char *layer = mem_format("%s/layers/%s", hand->world->path, spec->result);

	if (status == 0)
		assert_int_equal(mkdir(layer, 0755), 0);
	end(hand, spec, status, false, said);
}

void hand_end_app(struct hand *hand, const struct engine_spec *spec, int status, bool oom,
		  const char *said)
{
	end(hand, spec, status, oom, said);
}

struct asking {
	enum space_who who;
	uint16_t port;
	sem_t done;
};

static void on_answer(void *arg, enum space_who who, uint32_t address, uint16_t port)
{
	struct asking *asking = arg;

	asking->who = who;
	asking->port = port;
	sem_post(&asking->done);
}

static enum space_who ask(struct hand *hand, const char *slug, bool admitted, uint16_t *port)
{
	struct asking asking = {0};

	sem_init(&asking.done, 0, 0);
	space_loop_who(hand->loop,
		       &(struct space_ask){.slug = slug, .admitted = admitted, .waits = true},
		       on_answer, &asking);
	sem_wait(&asking.done);
	sem_destroy(&asking.done);
	if (port)
		*port = asking.port;
	return asking.who;
}

enum space_who hand_ask(struct hand *hand, const char *slug, uint16_t *port)
{
	return ask(hand, slug, false, port);
}

enum space_who hand_ask_admitted(struct hand *hand, const char *slug)
{
	return ask(hand, slug, true, NULL);
}

void hand_wait_who(struct hand *hand, const char *slug, enum space_who who)
{
	int64_t since_ms = clock_mono_ms();

	while (hand_ask(hand, slug, NULL) != who)
		if (!go_on(hand, since_ms))
			fail_msg("%s never becomes %d", slug, who);
}

static void lack_sleep(void *arg)
{
	engine_fake_lack(((struct hand *)arg)->engine, ENGINE_CAN_SUSPEND);
}

void hand_lack_sleep(struct hand *hand)
{
	in_loop(hand, lack_sleep, hand);
}

struct relief {
	struct hand *hand;
	struct meminfo memory;
};

static void relieve(void *arg)
{
	const struct relief *relief = arg;

	engine_fake_memory(relief->hand->engine, &relief->memory);
	life_relieve(relief->hand->loop);
}

void hand_relieve(struct hand *hand, unsigned memory, unsigned swap)
{
	enum { PERCENT = 1 << 20 };
	struct relief relief = {hand,
				{.memory = 100 * PERCENT,
				 .memory_left = (uint64_t)memory * PERCENT,
				 .swap = 100 * PERCENT,
				 .swap_left = (uint64_t)swap * PERCENT}};

	in_loop(hand, relieve, &relief);
	hand_settle(hand);
}

void hand_settle(struct hand *hand)
{
	enum { TURNS = 3 }; /* news, a step, what it has led to */

	for (int i = 0; i < TURNS; i++)
		in_loop(hand, nothing, NULL);
}

struct forgetting {
	struct hand *hand;
	int64_t repo_id;
};

/* What the loop remembers of visits; what the tables say stays. */
static void forget_visits(void *arg)
{
	const struct forgetting *forgetting = arg;

	life_of(forgetting->hand->loop, forgetting->repo_id)->idle = (struct idle){0};
}

void hand_forsake(struct hand *hand, const struct repo *repo)
{
	struct forgetting forgetting = {hand, repo->id};
	struct store_tx *tx = world_begin(hand->world);
	struct store_query *query = store_query(
		store_tx_db(tx), "UPDATE runs SET ready_ms = ready_ms - 172800000, started_ms ="
				 " started_ms - 172800000 WHERE repo_id = ? AND ended_ms IS NULL");
	struct err err = ERR_INIT;

	store_bind_int(query, repo->id);
	world_ok(store_step(query, &err), &err);
	store_query_end(query);
	world_commit(tx);
	in_loop(hand, forget_visits, &forgetting);
	space_loop_wake(hand->loop, repo->id);
}

struct space hand_asleep(struct hand *hand, const struct repo *repo)
{
	hand_forsake(hand, repo);
	return hand_wait(hand, repo, STAGE_SLEEPING);
}

static struct route_table *map_routes(struct hand *hand)
{
	owned(free) char *path = mem_format("%s/run/routes", hand->world->path);
	owned(close) int fd = open(path, O_RDWR | O_CLOEXEC);
	struct route_table *table =
		mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(table, MAP_FAILED);
	return table;
}

/* Our counters of a slug, as those of a worker of nginx. */
static void count(struct hand *hand, const char *slug,
		  void (*change)(const struct route_entry *entry, struct route_counters *counters,
				 const struct route_key *key))
{
	struct route_table *table = map_routes(hand);
	struct route_entry *entry;
	struct route_key key = {0};

	assert_true(route_key_init(&key, slug, strlen(slug)));
	entry = route_find(table, &key);
	assert_non_null(entry);
	atomic_store(&table->workers[0].owner,
		     route_worker_id((uint32_t)getpid(), proc_start_time(getpid())));
	change(entry, route_counters_of(table, 0, entry), &key);
	munmap(table, sizeof(*table));
}

static void begin_visit(const struct route_entry *entry, struct route_counters *counters,
			const struct route_key *key)
{
	struct route_target target;

	assert_true(route_enter(entry, counters, key, (uint64_t)clock_mono_ms(), &target));
}

static void end_visit(const struct route_entry *entry, struct route_counters *counters,
		      const struct route_key *key)
{
	route_leave(counters, route_side(entry), 0, (uint64_t)clock_mono_ms());
}

/* Nothing was said since the machine's start, or it would be idle since then only. */
static void upgrade(const struct route_entry *entry, struct route_counters *counters,
		    const struct route_key *key)
{
	route_upgraded(counters);
	atomic_store(&counters->activity_ms, 0);
}

static void say(const struct route_entry *entry, struct route_counters *counters,
		const struct route_key *key)
{
	atomic_store(&counters->activity_ms, (uint64_t)clock_mono_ms());
}

void hand_visit(struct hand *hand, const char *slug, bool begins)
{
	count(hand, slug, begins ? begin_visit : end_visit);
}

void hand_upgrade(struct hand *hand, const char *slug)
{
	count(hand, slug, upgrade);
}

void hand_say(struct hand *hand, const char *slug)
{
	count(hand, slug, say);
}

static struct route_target read_route(struct hand *hand, const char *slug)
{
	struct route_table *table = map_routes(hand);
	struct route_entry *entry;
	struct route_target target = {0};
	struct route_key key = {0};

	assert_true(route_key_init(&key, slug, strlen(slug)));
	entry = route_find(table, &key);
	assert_non_null(entry);
	assert_true(route_read(entry, &key, &target));
	munmap(table, sizeof(*table));
	return target;
}

enum route_state hand_route(struct hand *hand, const char *slug)
{
	return read_route(hand, slug).state;
}

enum route_access hand_access(struct hand *hand, const char *slug)
{
	return read_route(hand, slug).access;
}

static void *answer_visitors(void *arg)
{
	static const char answer[] = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
	const struct app *app = arg;
	int fd;

	while ((fd = accept(app->fd, NULL, NULL)) >= 0) {
		char request[1024];

		if (recv(fd, request, sizeof(request), 0) > 0)
			(void)!write(fd, answer, sizeof(answer) - 1);
		close(fd);
	}
	return NULL;
}

void app_init(struct app *app)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);

	*app = (struct app){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_int_equal(bind(app->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(app->fd, (struct sockaddr *)&at, &length), 0);
	app->port = ntohs(at.sin_port);
}

void app_open(struct app *app)
{
	assert_int_equal(listen(app->fd, 16), 0);
	assert_int_equal(pthread_create(&app->thread, NULL, answer_visitors, app), 0);
	app->open = true;
}

void app_done(struct app *app)
{
	if (app->open) {
		shutdown(app->fd, SHUT_RDWR);
		pthread_join(app->thread, NULL);
	}
	close(app->fd);
}

static char *card_of(const struct app *app)
{
	return mem_format("sdk: gradio\nsdk_version: 6.31.0\napp_port: %u\n", (unsigned)app->port);
}

void hand_push_app(struct hand *hand, const struct repo *repo, const struct app *app,
		   const char *text)
{
	owned(free) char *card = card_of(app);

	hand_push(hand, repo, card, text, "rich==15.0.0\n");
}

struct use {
	struct hand *hand;
	const struct engine_metrics *metrics;
};

static void use(void *arg)
{
	struct use *use = arg;

	engine_fake_use(use->hand->engine, use->metrics);
}

void hand_use(struct hand *hand, const struct engine_metrics *metrics)
{
	in_loop(hand, use, &(struct use){hand, metrics});
}

struct measuring {
	struct engine_metrics *out;
	bool is_there;
	sem_t done;
};

static void on_measured(void *arg, int64_t repo_id, const struct engine_metrics *metrics)
{
	struct measuring *measuring = arg;

	measuring->is_there = metrics != NULL;
	if (metrics)
		*measuring->out = *metrics;
	sem_post(&measuring->done);
}

bool hand_measure(struct hand *hand, const struct repo *repo, struct engine_metrics *out)
{
	struct measuring measuring = {.out = out};

	sem_init(&measuring.done, 0, 0);
	space_loop_measure(hand->loop, repo->id, on_measured, &measuring);
	sem_wait(&measuring.done);
	sem_destroy(&measuring.done);
	return measuring.is_there;
}

struct repo hand_running(struct hand *hand, const char *name, struct app *app)
{
	struct repo repo = world_space(hand->world, name);

	app_init(app);
	app_open(app);
	hand_push_app(hand, &repo, app, "print(1)\n");
	hand_end_build(hand, hand_submission(hand, 0), 0, NULL);
	hand_wait(hand, &repo, STAGE_RUNNING);
	return repo;
}
