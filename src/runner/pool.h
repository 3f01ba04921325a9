#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "base/own.h"

/*
 * A few threads for the steps that take milliseconds and wait for children, so that the loop
 * answers meanwhile. Jobs start in their order; `done` is called in the loop's thread.
 *
 * Threads: the loop's own, but for `work`, which runs in a worker and may touch nothing but `arg`.
 */
struct pool;

struct pool_job {
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

must_check int pool_new(struct loop *loop, unsigned threads, struct pool **out, struct err *err);

/* Waits for the jobs that have begun; those that have not are dropped without a call. */
void pool_free(struct pool *pool);
DEFINE_OWNED(struct pool *, pool_free);

void pool_add(struct pool *pool, const struct pool_job *job);
