#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "engine/engine.h"

/*
 * The engine of one machine: the hub's client of the runner (runner/runner.h), which does the work.
 *
 * It holds a mirror of the runner's list, so observe() answers from memory; until the first list
 * has come, and while a new one is fetched after a restart of the runner, observe() and submit()
 * fail with ERR_BUSY. `lost` is called each time a list has come. A submit that the runner refuses
 * shows as a run that ENDED with status -1 and the reason.
 */

/* `runner_fd` is the hub's end of the SOCK_SEQPACKET pair; it stays the caller's. */
must_check int engine_local_new(struct loop *loop, int runner_fd, struct engine **out,
				struct err *err);

/*
 * Make the base system where it is missing, or wait until it is there; builds and apps wait for it
 * anyway. `done` is called once, in the loop's thread, with NULL or the failure. Many may wait.
 */
void engine_local_prepare(struct engine *engine, void (*done)(void *arg, const struct err *err),
			  void *arg);
