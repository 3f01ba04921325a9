#include "space/loop.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "space/ledger.h"
#include "space/life.h"
#include "space/wish.h"

enum {
	CREW_THREADS = 2,
	RETRY_MS = 1000,
	BACKOFF_MS = 1000,
	RUSH_MS = 10 * 1000,
	RELIEVE_MS = 5 * 1000,
};

/* The thread's start, as its starter sees it. */
struct start {
	struct space_loop *loop;
	sem_t done;
	int result;
	struct err err;
};

/* 1 a run that rows know, 0 none, -1 failed. */
static int find_row(struct space_loop *loop, const char *key, struct runrow *out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(loop->config.store, &read, err) < 0)
		return -1;
	return runrow_open(store_read_db(read), key, out, err);
}

/* A run that no row knows: of a Space that is gone, or of another database. It must not go on. */
static void end_orphan(struct space_loop *loop, struct life_fact *fact)
{
	struct err err = ERR_INIT;

	if (fact->run.state == ENGINE_ENDED) {
		life_fact_drop(loop, fact->run.key);
		return;
	}
	if (fact->stopping)
		return;
	log_warn("space.orphan", "run=%s", fact->run.key);
	if (loop->engine->ops->stop(loop->engine, fact->run.key, LIFE_GRACE_MS, &err) == 0)
		fact->stopping = true;
	else
		log_warn("space.orphan", "run=%s error=%s", fact->run.key, err.text);
}

/* Make of a report what it means: it may end the fact. */
static void consider(struct space_loop *loop, struct life_fact *fact)
{
	struct runrow row;
	struct err err = ERR_INIT;
	int found;

	if (fact->run.kind == ENGINE_BUILD) {
		if (fact->run.state == ENGINE_ENDED)
			life_built(loop, fact);
		return;
	}
	found = find_row(loop, fact->run.key, &row, &err);
	if (found < 0) {
		log_error("space.report", "run=%s error=%s", fact->run.key, err.text);
		loop_timer_set(loop->observe, loop->config.retry_ms);
	} else if (found == 0) {
		end_orphan(loop, fact);
	} else {
		life_wake(life_of(loop, row.repo_id), 0);
	}
}

static void on_changed(void *arg, const struct engine_run *run)
{
	struct space_loop *loop = arg;

	log_debug("space.report", "run=%s state=%s", run->key, engine_state_name(run->state));
	if (loop->observed) /* before, the whole list is about to come */
		consider(loop, life_fact_put(loop, run));
}

static void keep(void *arg, const struct engine_run *run)
{
	life_fact_put(arg, run);
}

static void forget_facts(struct space_loop *loop)
{
	while (loop->facts) {
		struct life_fact *next = loop->facts->next;

		free(loop->facts);
		loop->facts = next;
	}
}

/* Ask the engine for all that runs, and look at every Space in its light. */
static void observe(void *arg)
{
	struct space_loop *loop = arg;
	struct err err = ERR_INIT;
	struct life_fact *next;

	forget_facts(loop);
	loop->observed = loop->engine->ops->observe(loop->engine, keep, loop, &err) == 0;
	if (!loop->observed) { /* it says `lost` when it can answer; the timer is for the rest */
		log_debug("space.observe", "error=%s", err.text);
		loop_timer_set(loop->observe, loop->config.retry_ms);
		return;
	}
	for (struct life_fact *fact = loop->facts; fact; fact = next) {
		next = fact->next;
		consider(loop, fact);
	}
	for (struct life *life = loop->lives; life; life = life->next)
		life_wake(life, 0);
	life_answer(loop, NULL);
}

static void on_lost(void *arg)
{
	life_measured(arg, NULL, NULL);
	observe(arg);
}

static void on_measured(void *arg, const char *key, const struct engine_metrics *metrics)
{
	life_measured(arg, key, metrics);
}

/*
 * Which spans of the ledger go on: for the hub after us, should this machine fail now. Only once
 * the engine has reported, for its report may end some that the hub before us had.
 */
static void see(void *arg)
{
	struct space_loop *loop = arg;
	owned(store_tx_end) struct store_tx *tx = NULL;
	const struct ledger_moment now = ledger_moment(0);
	struct err err = ERR_INIT;

	loop_timer_set(loop->see, LEDGER_SEEN_MS);
	if (!loop->observed)
		return;
	if (store_tx_begin(loop->config.store, &tx, &err) < 0 ||
	    ledger_see(store_tx_db(tx), &now, &err) < 0 || store_tx_commit(take(tx), &err) < 0)
		log_error("space.ledger", "error=%s", err.text);
}

static void add_life(void *arg, int64_t repo_id)
{
	life_of(arg, repo_id);
}

static int read_spaces(struct space_loop *loop, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(loop->config.store, &read, err) < 0)
		return -1;
	return space_each(store_read_db(read), add_life, loop, err);
}

static int begin(struct space_loop *loop, struct err *err)
{
	const struct space_loop_config *config = &loop->config;

	if (crew_new(loop->loop, CREW_THREADS, &loop->crew, err) < 0 ||
	    config->make_engine(config->make_engine_arg, loop->loop, &loop->engine, err) < 0)
		return -1;
	loop->engine->changed = on_changed;
	loop->engine->lost = on_lost;
	loop->engine->dropped = life_dropped;
	loop->engine->measured = on_measured;
	loop->engine->arg = loop;
	loop->observe = loop_timer_new(loop->loop, observe, loop);
	loop->see = loop_timer_new(loop->loop, see, loop);
	if (config->sleep.reserve_percent)
		loop->relieve = loop_timer_new(loop->loop, life_relieve, loop);
	if (config->grants)
		loop->spend = loop_timer_new(loop->loop, life_spend, loop);
	if (read_spaces(loop, err) < 0)
		return -1;
	loop_timer_set(loop->observe, 0);
	loop_timer_set(loop->see, LEDGER_SEEN_MS);
	if (loop->relieve)
		loop_timer_set(loop->relieve, config->relieve_ms);
	if (loop->spend)
		loop_timer_set(loop->spend, 0);
	return 0;
}

/* Take what other threads have left. */
static void read_inbox(void *arg)
{
	struct space_loop *loop = arg;
	struct life_news *wishes;
	struct life_ask *asks;
	struct life_measure *measures;

	{
		owned(unlock) struct lock *held = lock(&loop->lock);

		wishes = take(loop->new_wishes);
		asks = take(loop->new_asks);
		measures = take(loop->new_measures);
	}
	while (wishes) {
		struct life_news *next = wishes->next;
		struct life *life = life_of(loop, wishes->repo_id);

		life->failures = 0;
		life->rests_until_ms = 0;
		life_wake(life, 0);
		free(wishes);
		wishes = next;
	}
	while (asks) {
		struct life_ask *next = asks->next;

		asks->next = loop->asks;
		loop->asks = asks;
		asks = next;
	}
	while (measures) {
		struct life_measure *next = measures->next;

		life_measure(loop, measures);
		measures = next;
	}
	if (!loop->ending)
		life_answer(loop, NULL);
}

/* In the order that nothing is touched after it is gone: jobs end, then what they tell. */
static void end(struct space_loop *loop)
{
	loop->ending = true;
	crew_free(take(loop->crew));
	read_inbox(loop);
	while (loop->asks) {
		struct life_ask *next = loop->asks->next;

		loop->asks->answer(loop->asks->arg, SPACE_WHO_STARTING, 0, 0);
		free(loop->asks);
		loop->asks = next;
	}
	life_measured(loop, NULL, NULL);
	life_free_all(loop);
	loop_timer_free(take(loop->observe));
	loop_timer_free(take(loop->see));
	loop_timer_free(take(loop->relieve));
	loop_timer_free(take(loop->spend));
	if (loop->engine)
		loop->engine->ops->free(loop->engine);
	loop->engine = NULL;
}

static void *run(void *arg)
{
	struct start *start = arg;
	struct space_loop *loop = start->loop;
	struct err err = ERR_INIT;
	bool began = begin(loop, &start->err) == 0;

	start->result = began ? 0 : -1;
	sem_post(&start->done); /* `start` is gone from here on */
	if (began && loop_run(loop->loop, &err) < 0)
		log_error("space.loop", "error=%s", err.text);
	end(loop);
	return NULL;
}

static void free_loop(struct space_loop *loop)
{
	loop_free(loop->loop);
	free(loop);
}

int space_loop_start(const struct space_loop_config *config, struct space_loop **out,
		     struct err *err)
{
	struct space_loop *loop = mem_new(struct space_loop);
	struct start start = {.loop = loop};

	loop->config = *config;
	loop->lock = (struct lock)LOCK_INIT;
	if (loop->config.retry_ms == 0)
		loop->config.retry_ms = RETRY_MS;
	if (loop->config.settle_ms == 0)
		loop->config.settle_ms = WISH_SETTLE_MS;
	if (loop->config.backoff_ms == 0)
		loop->config.backoff_ms = BACKOFF_MS;
	if (loop->config.relieve_ms == 0)
		loop->config.relieve_ms = RELIEVE_MS;
	if (loop->config.rush_ms == 0)
		loop->config.rush_ms = RUSH_MS;
	if (loop_new(&loop->loop, err) < 0) {
		free(loop);
		return -1;
	}
	sem_init(&start.done, 0, 0);
	if (pthread_create(&loop->thread, NULL, run, &start) != 0) {
		free_loop(loop);
		return err_set(err, ERR_SYSTEM, "start the space loop");
	}
	while (sem_wait(&start.done) < 0) {
	}
	sem_destroy(&start.done);
	if (start.result < 0) {
		pthread_join(loop->thread, NULL);
		free_loop(loop);
		*err = start.err;
		return err_in(err, "start the space loop");
	}
	*out = loop;
	return 0;
}

void space_loop_stop(struct space_loop *loop)
{
	if (!loop)
		return;
	loop_quit(loop->loop);
	pthread_join(loop->thread, NULL);
	free_loop(loop);
}

void space_loop_wake(struct space_loop *loop, int64_t repo_id)
{
	struct life_news *news = mem_new(struct life_news);

	news->repo_id = repo_id;
	{
		owned(unlock) struct lock *held = lock(&loop->lock);

		news->next = loop->new_wishes;
		loop->new_wishes = news;
	}
	loop_post(loop->loop, read_inbox, loop);
}

void space_loop_who(struct space_loop *loop, const struct space_ask *asked,
		    void (*answer)(void *arg, enum space_who who, uint32_t address, uint16_t port),
		    void *arg)
{
	struct life_ask *ask = mem_new(struct life_ask);

	ask->admitted = asked->admitted;
	ask->waits = asked->waits;
	ask->answer = answer;
	ask->arg = arg;
	/* A name that is too long is nobody's, cut or not: slugs are shorter. */
	snprintf(ask->slug, sizeof(ask->slug), "%s", asked->slug);
	{
		owned(unlock) struct lock *held = lock(&loop->lock);

		ask->next = loop->new_asks;
		loop->new_asks = ask;
	}
	loop_post(loop->loop, read_inbox, loop);
}

void space_loop_measure(struct space_loop *loop, int64_t repo_id, space_measured_fn *answer,
			void *arg)
{
	struct life_measure *measure = mem_new(struct life_measure);

	measure->repo_id = repo_id;
	measure->answer = answer;
	measure->arg = arg;
	{
		owned(unlock) struct lock *held = lock(&loop->lock);

		measure->next = loop->new_measures;
		loop->new_measures = measure;
	}
	loop_post(loop->loop, read_inbox, loop);
}
