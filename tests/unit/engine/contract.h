#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "engine/engine.h"

enum {
	CONTRACT_TRIES = 5,
	CONTRACT_FREEZE_MS = 8000, /* for one try; an engine gives up before */
};

/*
 * What every engine promises (engine/engine.h), as tests that run against each of them. An engine's
 * test file makes the engine, sets `contract` and lists CONTRACT_TESTS.
 */
struct contract {
	struct loop *loop;
	struct engine *engine;
	struct engine_spec
		app;         /* one that goes on until it is stopped; the key is ours to change */
	int64_t patience_ms; /* for one change of state */
	bool has_swap;       /* the machine; without it nothing can be paged out */
	/* Kill whatever stands between engine and runs, and start it again. */
	void (*break_off)(void);
	/* What has been reported, newest last. */
	struct engine_run *reports;
	size_t report_count;
	unsigned lost;
	unsigned dropped; /* answers to drop_data() that said so */
	struct err drop_error;
	bool late;
	struct engine_metrics metrics; /* the last that came, and how many */
	unsigned measured;
};

static struct contract contract;

static inline void contract_changed(void *arg, const struct engine_run *run)
{
	contract.reports = mem_grow(contract.reports, contract.report_count + 1, sizeof(*run));
	contract.reports[contract.report_count++] = *run;
	loop_quit(contract.loop);
}

static inline void contract_lost(void *arg)
{
	contract.lost++;
	loop_quit(contract.loop);
}

static inline void contract_dropped(void *arg, const char *space, const struct err *err)
{
	assert_string_equal(space, contract.app.space);
	contract.dropped += err == NULL;
	contract.drop_error = err ? *err : ERR_INIT;
	loop_quit(contract.loop);
}

static inline void contract_measured(void *arg, const char *key,
				     const struct engine_metrics *metrics)
{
	if (metrics)
		contract.metrics = *metrics;
	else
		contract.metrics = (struct engine_metrics){0};
	contract.measured++;
	loop_quit(contract.loop);
}

static inline void contract_use(struct loop *loop, struct engine *engine)
{
	contract.loop = loop;
	contract.engine = engine;
	engine->changed = contract_changed;
	engine->lost = contract_lost;
	engine->dropped = contract_dropped;
	engine->measured = contract_measured;
}

static inline void contract_late(void *arg)
{
	contract.late = true;
	loop_quit(contract.loop);
}

/* Run the loop until `done` says so. False: it does not in time. */
static inline bool contract_until(bool (*done)(const char *key), const char *key, int64_t limit_ms)
{
	struct loop_timer *timer = loop_timer_new(contract.loop, contract_late, NULL);
	struct err err = ERR_INIT;

	contract.late = false;
	loop_timer_set(timer, limit_ms);
	while (!done(key) && !contract.late)
		assert_int_equal(loop_run(contract.loop, &err), 0);
	loop_timer_free(timer);
	return !contract.late;
}

static inline void contract_wait(bool (*done)(const char *key), const char *key)
{
	if (!contract_until(done, key, contract.patience_ms))
		fail_msg("%s: waited in vain", key);
}

static inline const struct engine_run *contract_last(const char *key)
{
	for (size_t i = contract.report_count; i-- > 0;)
		if (strcmp(contract.reports[i].key, key) == 0)
			return &contract.reports[i];
	return NULL;
}

/* The one before the last. */
static inline const struct engine_run *contract_last_but_one(const char *key)
{
	bool is_behind = false;

	for (size_t i = contract.report_count; i-- > 0;) {
		if (strcmp(contract.reports[i].key, key) != 0)
			continue;
		if (is_behind)
			return &contract.reports[i];
		is_behind = true;
	}
	return NULL;
}

static inline bool contract_is_running(const char *key)
{
	const struct engine_run *run = contract_last(key);

	return run && run->state == ENGINE_RUNNING;
}

static inline bool contract_is_frozen(const char *key)
{
	const struct engine_run *run = contract_last(key);

	return run && run->state == ENGINE_FROZEN;
}

/* A machine that is busy may not freeze it in time: whoever wants it asks again. */
static inline void contract_freeze(const char *key)
{
	struct err err = ERR_INIT;
	int tries = 0;

	do {
		if (tries++ == CONTRACT_TRIES)
			fail_msg("%s: does not freeze", key);
		assert_int_equal(contract.engine->ops->suspend(contract.engine, key, &err), 0);
	} while (!contract_until(contract_is_frozen, key, CONTRACT_FREEZE_MS));
}

static inline void contract_resume(const char *key)
{
	struct err err = ERR_INIT;

	assert_int_equal(contract.engine->ops->resume(contract.engine, key, &err), 0);
	contract_wait(contract_is_running, key);
}

/* There is a report behind the first `contract_seen` ones. */
static size_t contract_seen;

static inline bool contract_has_news(const char *key)
{
	for (size_t i = contract_seen; i < contract.report_count; i++)
		if (strcmp(contract.reports[i].key, key) == 0)
			return true;
	return false;
}

/* Ask, and wait for the report that answers. */
static inline const struct engine_run *contract_page_out(const char *key)
{
	struct err err = ERR_INIT;

	contract_seen = contract.report_count;
	assert_int_equal(contract.engine->ops->page_out(contract.engine, key, &err), 0);
	contract_wait(contract_has_news, key);
	return contract_last(key);
}

static inline bool contract_was_lost(const char *unused)
{
	return contract.lost > 0;
}

static inline void contract_break_off(void)
{
	contract.lost = 0;
	contract.break_off();
	contract_wait(contract_was_lost, "report after a break");
}

static inline bool contract_has_ended(const char *key)
{
	const struct engine_run *run = contract_last(key);

	return run && run->state == ENGINE_ENDED;
}

static inline void contract_submit(const char *key)
{
	struct err err = ERR_INIT;

	snprintf(contract.app.key, sizeof(contract.app.key), "%s", key);
	if (contract.engine->ops->submit(contract.engine, &contract.app, &err) < 0)
		fail_msg("submit: %s", err.text);
}

static inline void contract_stop(const char *key)
{
	struct err err = ERR_INIT;

	assert_int_equal(contract.engine->ops->stop(contract.engine, key, 5000, &err), 0);
	contract_wait(contract_has_ended, key);
}

static inline void contract_forget(const char *key)
{
	struct err err = ERR_INIT;

	assert_int_equal(contract.engine->ops->forget(contract.engine, key, &err), 0);
}

struct contract_count {
	const char *key;
	size_t count;
};

static inline void contract_count_one(void *arg, const struct engine_run *run)
{
	struct contract_count *count = arg;

	count->count += strcmp(run->key, count->key) == 0;
}

static inline size_t contract_observed(const char *key)
{
	struct contract_count count = {.key = key};
	struct err err = ERR_INIT;

	assert_int_equal(
		contract.engine->ops->observe(contract.engine, contract_count_one, &count, &err),
		0);
	return count.count;
}

static inline void contract_copy_one(void *arg, const struct engine_run *run)
{
	struct engine_run *wanted = arg;

	if (strcmp(run->key, wanted->key) == 0)
		*wanted = *run;
}

/* What observe() says of a run that is there. */
static inline struct engine_run contract_observe(const char *key)
{
	struct engine_run run = {0};
	struct err err = ERR_INIT;

	snprintf(run.key, sizeof(run.key), "%s", key);
	assert_int_equal(
		contract.engine->ops->observe(contract.engine, contract_copy_one, &run, &err), 0);
	return run;
}

#define CONTRACT_KEY(n) "0123456789abcdef01234567-" #n

static inline void a_submitted_run_is_observed_at_once(void **state)
{
	contract_submit(CONTRACT_KEY(1));
	assert_int_equal(contract_observed(CONTRACT_KEY(1)), 1);
	contract_wait(contract_is_running, CONTRACT_KEY(1));
	contract_stop(CONTRACT_KEY(1));
	contract_forget(CONTRACT_KEY(1));
}

static inline void a_key_is_started_once(void **state)
{
	size_t starts = 0;

	contract_submit(CONTRACT_KEY(2));
	contract_submit(CONTRACT_KEY(2));
	contract_wait(contract_is_running, CONTRACT_KEY(2));
	contract_submit(CONTRACT_KEY(2));
	assert_int_equal(contract_observed(CONTRACT_KEY(2)), 1);
	contract_stop(CONTRACT_KEY(2));
	for (size_t i = 0; i < contract.report_count; i++)
		starts += strcmp(contract.reports[i].key, CONTRACT_KEY(2)) == 0 &&
			  contract.reports[i].state == ENGINE_RUNNING;
	assert_int_equal(starts, 1);
	contract_forget(CONTRACT_KEY(2));
}

static inline void a_running_run_has_an_address_and_a_start_time(void **state)
{
	const struct engine_run *run;

	contract_submit(CONTRACT_KEY(3));
	contract_wait(contract_is_running, CONTRACT_KEY(3));
	run = contract_last(CONTRACT_KEY(3));
	assert_int_not_equal(run->address, 0);
	assert_int_equal(run->port, contract.app.port);
	assert_true(run->started_ms > 0);
	assert_string_equal(run->space, contract.app.space);
	contract_stop(CONTRACT_KEY(3));
	run = contract_last(CONTRACT_KEY(3));
	assert_true(run->ended_ms >= run->started_ms);
	assert_int_equal(run->exit_status, 128 + 15);
	assert_false(run->oom);
	contract_forget(CONTRACT_KEY(3));
}

static inline void an_ended_run_stays_until_it_is_forgotten(void **state)
{
	contract_submit(CONTRACT_KEY(4));
	contract_wait(contract_is_running, CONTRACT_KEY(4));
	contract_stop(CONTRACT_KEY(4));
	assert_int_equal(contract_observed(CONTRACT_KEY(4)), 1);
	contract_forget(CONTRACT_KEY(4));
	assert_int_equal(contract_observed(CONTRACT_KEY(4)), 0);
}

static inline void a_suspended_run_can_be_resumed(void **state)
{
	struct engine *engine = contract.engine;
	struct err err = ERR_INIT;

	contract_submit(CONTRACT_KEY(5));
	contract_wait(contract_is_running, CONTRACT_KEY(5));
	contract_freeze(CONTRACT_KEY(5));
	assert_int_equal(engine->ops->resume(engine, CONTRACT_KEY(5), &err), 0);
	contract_wait(contract_is_running, CONTRACT_KEY(5));
	contract_freeze(CONTRACT_KEY(5));
	contract_stop(CONTRACT_KEY(5)); /* a frozen one can be stopped, too */
	contract_forget(CONTRACT_KEY(5));
}

static inline bool contract_is_measured(const char *key)
{
	return contract.measured > 0;
}

/* The app of an engine's test uses something of all that is measured. */
static inline void a_running_run_can_be_measured(void **state)
{
	struct engine *engine = contract.engine;
	struct err err = ERR_INIT;

	contract_submit(CONTRACT_KEY(7));
	contract_wait(contract_is_running, CONTRACT_KEY(7));
	contract.measured = 0;
	assert_int_equal(engine->ops->measure(engine, CONTRACT_KEY(7), &err), 0);
	contract_wait(contract_is_measured, CONTRACT_KEY(7));
	assert_int_equal(contract.measured, 1);
	assert_string_equal(contract.metrics.key, CONTRACT_KEY(7));
	assert_true(contract.metrics.at_ms > 0);
	assert_true(contract.metrics.cpu_ns > 0);
	assert_true(contract.metrics.memory_bytes > 0);
	assert_true(contract.metrics.memory_bytes <= contract.metrics.memory_limit);
	assert_int_equal(contract.metrics.memory_limit, contract.app.limits.memory_bytes);
	assert_int_equal(contract.metrics.cpu_milli, contract.app.limits.cpu_milli);
	contract_stop(CONTRACT_KEY(7));
	assert_int_equal(engine->ops->measure(engine, CONTRACT_KEY(7), &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	contract_forget(CONTRACT_KEY(7));
}

static inline void a_frozen_run_can_be_paged_out(void **state)
{
	const char *key = CONTRACT_KEY(63);
	const struct engine_run *run;

	contract_submit(key);
	contract_wait(contract_is_running, key);
	contract_freeze(key);
	assert_false(contract_last(key)->paged);
	run = contract_page_out(key);
	assert_int_equal(run->state, ENGINE_FROZEN);
	assert_true(run->paged == contract.has_swap);
	contract_resume(key);
	assert_false(contract_last(key)->paged);
	contract_freeze(key);
	assert_false(contract_last(key)->paged);
	contract_page_out(key);
	contract_stop(key);
	assert_false(contract_last(key)->paged);
	contract_forget(key);
}

static inline void one_that_is_awake_is_not_paged_out(void **state)
{
	const char *key = CONTRACT_KEY(64);

	contract_submit(key);
	contract_wait(contract_is_running, key);
	assert_int_equal(contract_page_out(key)->state, ENGINE_RUNNING);
	assert_false(contract_last(key)->paged);
	contract_stop(key);
	contract_forget(key);
}

/* Asked twice, in any order, it is done once; the last wish holds. */
static inline void sleep_and_wake_are_idempotent(void **state)
{
	struct engine *engine = contract.engine;
	const char *key = CONTRACT_KEY(65);
	struct err err = ERR_INIT;

	contract_submit(key);
	contract_wait(contract_is_running, key);
	for (int i = 0; i < 3; i++) {
		contract_freeze(key);
		assert_int_equal(engine->ops->suspend(engine, key, &err), 0);
		assert_int_equal(engine->ops->page_out(engine, key, &err), 0);
		assert_int_equal(engine->ops->page_out(engine, key, &err), 0);
		assert_int_equal(engine->ops->resume(engine, key, &err), 0);
		contract_resume(key);
	}
	assert_int_equal(engine->ops->suspend(engine, key, &err), 0);
	assert_int_equal(engine->ops->resume(engine, key, &err), 0);
	contract_stop(key); /* it comes behind both, and is told behind both */
	assert_int_equal(contract_last_but_one(key)->state, ENGINE_RUNNING);
	contract_forget(key);
}

static inline void sleepers_are_told_after_a_break(void **state)
{
	const char *awake = CONTRACT_KEY(60);
	const char *frozen = CONTRACT_KEY(61);
	const char *paged = CONTRACT_KEY(62);
	const char *const keys[] = {awake, frozen, paged};

	for (size_t i = 0; i < 3; i++) {
		contract_submit(keys[i]);
		contract_wait(contract_is_running, keys[i]);
	}
	contract_freeze(frozen);
	contract_freeze(paged);
	contract_page_out(paged);
	contract_break_off();
	assert_int_equal(contract_observe(awake).state, ENGINE_RUNNING);
	assert_int_equal(contract_observe(frozen).state, ENGINE_FROZEN);
	assert_false(contract_observe(frozen).paged);
	assert_int_equal(contract_observe(paged).state, ENGINE_FROZEN);
	assert_true(contract_observe(paged).paged == contract.has_swap);
	contract_resume(paged);
	contract_break_off();
	assert_int_equal(contract_observe(paged).state, ENGINE_RUNNING);
	for (size_t i = 0; i < 3; i++) {
		contract_stop(keys[i]);
		contract_forget(keys[i]);
	}
}

static inline void an_unknown_or_ended_key_is_no_error(void **state)
{
	struct engine *engine = contract.engine;
	struct err err = ERR_INIT;

	assert_int_equal(engine->ops->stop(engine, CONTRACT_KEY(99), 0, &err), 0);
	assert_int_equal(engine->ops->suspend(engine, CONTRACT_KEY(99), &err), 0);
	assert_int_equal(engine->ops->page_out(engine, CONTRACT_KEY(99), &err), 0);
	assert_int_equal(engine->ops->resume(engine, CONTRACT_KEY(99), &err), 0);
	assert_int_equal(engine->ops->forget(engine, CONTRACT_KEY(99), &err), 0);
	contract_submit(CONTRACT_KEY(6));
	contract_wait(contract_is_running, CONTRACT_KEY(6));
	contract_stop(CONTRACT_KEY(6));
	assert_int_equal(engine->ops->stop(engine, CONTRACT_KEY(6), 0, &err), 0);
	contract_forget(CONTRACT_KEY(6));
}

static inline bool contract_drop_answered(const char *unused)
{
	return contract.dropped > 0 || contract.drop_error.kind != ERR_NONE;
}

/* Ask for it and wait for the answer. */
static inline void contract_drop(void)
{
	struct err err = ERR_INIT;

	contract.dropped = 0;
	contract.drop_error = ERR_INIT;
	assert_int_equal(contract.engine->ops->drop_data(contract.engine, contract.app.space, &err),
			 0);
	assert_int_equal(contract.dropped, 0); /* never from inside of the call */
	contract_wait(contract_drop_answered, "drop");
}

static inline void a_disk_that_is_not_there_is_dropped(void **state)
{
	contract_drop();
	assert_int_equal(contract.dropped, 1);
	contract_drop();
	assert_int_equal(contract.dropped, 1);
}

static inline void the_memory_of_its_machine_is_known(void **state)
{
	struct meminfo info;
	struct err err = ERR_INIT;

	assert_int_equal(contract.engine->ops->memory(contract.engine, &info, &err), 0);
	assert_true(info.memory_left > 0 && info.memory_left <= info.memory);
	assert_true(info.swap_left <= info.swap);
}

#define CONTRACT_TESTS                                                           \
	cmocka_unit_test(a_submitted_run_is_observed_at_once),                   \
		cmocka_unit_test(a_key_is_started_once),                         \
		cmocka_unit_test(a_running_run_has_an_address_and_a_start_time), \
		cmocka_unit_test(an_ended_run_stays_until_it_is_forgotten),      \
		cmocka_unit_test(a_suspended_run_can_be_resumed),                \
		cmocka_unit_test(a_running_run_can_be_measured),                 \
		cmocka_unit_test(the_memory_of_its_machine_is_known),            \
		cmocka_unit_test(a_frozen_run_can_be_paged_out),                 \
		cmocka_unit_test(one_that_is_awake_is_not_paged_out),            \
		cmocka_unit_test(sleep_and_wake_are_idempotent),                 \
		cmocka_unit_test(sleepers_are_told_after_a_break),               \
		cmocka_unit_test(an_unknown_or_ended_key_is_no_error),           \
		cmocka_unit_test(a_disk_that_is_not_there_is_dropped)
