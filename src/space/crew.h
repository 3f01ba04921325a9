#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "base/own.h"

/*
 * Crew: a few threads that do what would make an event loop wait: reading a repository, writing
 * files and waiting for the disk. Each job's outcome is handed to the loop's thread.
 *
 * Threads: all calls from the loop's thread.
 */
struct crew;

enum { CREW_THREADS_MAX = 8 };

must_check int crew_new(struct loop *loop, unsigned threads, struct crew **out, struct err *err);

/* `work` is called in some thread of the crew, `done` afterwards in the loop's. */
void crew_do(struct crew *crew, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* Finish all jobs and call what is left of `done` from here; the loop must not run any more. */
void crew_free(struct crew *crew);
DEFINE_OWNED(struct crew *, crew_free);
