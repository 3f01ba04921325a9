#include "runner/pager.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/lock.h"
#include "base/mem.h"
#include "engine/engine.h"

/*
 * A signal ends a write to the kernel's files, but one that comes a moment before it is lost: so
 * the signal is sent again until the thread has moved on.
 */
enum { NUDGE_SIGNAL = SIGUSR1, NUDGE_MS = 1 };

struct job {
	struct job *next;
	char key[ENGINE_KEY_ROOM];
};

struct pager {
	struct loop *loop;
	struct pager_work work;
	pthread_t thread;
	bool started;
	struct loop_timer *nudge;
	struct lock lock; /* guards all that follow, but for `err` */
	pthread_cond_t wanted;
	struct job *first;
	bool ending;
	bool busy; /* from when the thread takes a key until deliver() has told of it */
	bool dropped;
	char key[ENGINE_KEY_ROOM]; /* while busy */
	struct err err;            /* the thread's while it works, then deliver()'s */
};

static void do_nothing(int number)
{
	(void)number;
}

/* Wait for a key; false at the end. */
static bool take_key(struct pager *pager)
{
	owned(unlock) struct lock *held = lock(&pager->lock);
	owned(free) struct job *job = NULL;

	while ((pager->busy || !pager->first) && !pager->ending)
		pthread_cond_wait(&pager->wanted, &pager->lock.mutex);
	if (pager->ending)
		return false;
	job = pager->first;
	pager->first = job->next;
	memcpy(pager->key, job->key, sizeof(pager->key));
	pager->busy = true;
	pager->dropped = false;
	return true;
}

/* What was done is over; true if somebody still wants to hear of it. */
static bool end_job(struct pager *pager, char key[ENGINE_KEY_ROOM], struct err *err)
{
	owned(unlock) struct lock *held = lock(&pager->lock);

	memcpy(key, pager->key, sizeof(pager->key));
	*err = pager->err;
	pager->busy = false;
	pthread_cond_signal(&pager->wanted);
	return !pager->dropped;
}

static void deliver(void *arg)
{
	struct pager *pager = arg;
	char key[ENGINE_KEY_ROOM];
	struct err err;

	loop_timer_clear(pager->nudge);
	if (end_job(pager, key, &err))
		pager->work.done(pager->work.arg, key, err.kind == ERR_NONE ? NULL : &err);
	else
		pager->work.dropped(pager->work.arg, key);
}

static void *run(void *arg)
{
	struct pager *pager = arg;

	while (take_key(pager)) {
		pager->err = ERR_INIT;
		/* What it says is in `err`; the key changes only while nobody is busy. */
		(void)!pager->work.page_out(pager->work.arg, pager->key, &pager->err);
		loop_post(pager->loop, deliver, pager);
	}
	return NULL;
}

static void nudge(void *arg)
{
	struct pager *pager = arg;

	pthread_kill(pager->thread, NUDGE_SIGNAL);
	loop_timer_set(pager->nudge, NUDGE_MS);
}

int pager_new(struct loop *loop, const struct pager_work *work, struct pager **out, struct err *err)
{
	owned(pager_free) struct pager *pager = mem_new(struct pager);
	/* Without SA_RESTART. */
	const struct sigaction action = {.sa_handler = do_nothing};

	pager->loop = loop;
	pager->work = *work;
	pager->lock = (struct lock)LOCK_INIT;
	pager->nudge = loop_timer_new(loop, nudge, pager);
	pthread_cond_init(&pager->wanted, NULL);
	if (sigaction(NUDGE_SIGNAL, &action, NULL) < 0)
		return err_sys(err, "set a signal's action");
	if (pthread_create(&pager->thread, NULL, run, pager) != 0)
		return err_set(err, ERR_SYSTEM, "start a thread");
	pager->started = true;
	*out = take(pager);
	return 0;
}

static void end(struct pager *pager)
{
	owned(unlock) struct lock *held = lock(&pager->lock);

	pager->ending = true;
	pthread_cond_signal(&pager->wanted);
}

void pager_free(struct pager *pager)
{
	if (!pager)
		return;
	end(pager);
	while (pager->started && pthread_tryjoin_np(pager->thread, NULL) != 0) {
		pthread_kill(pager->thread, NUDGE_SIGNAL);
		nanosleep(&(struct timespec){.tv_nsec = NUDGE_MS * 1000000L}, NULL);
	}
	while (pager->first) {
		struct job *job = pager->first;

		pager->first = job->next;
		free(job);
	}
	loop_timer_free(pager->nudge);
	pthread_cond_destroy(&pager->wanted);
	free(pager);
}

void pager_add(struct pager *pager, const char *key)
{
	owned(unlock) struct lock *held = lock(&pager->lock);
	struct job *added = mem_new(struct job);
	struct job **at = &pager->first;

	snprintf(added->key, sizeof(added->key), "%s", key);
	while (*at)
		at = &(*at)->next;
	*at = added;
	pthread_cond_signal(&pager->wanted);
}

/* True if the thread is at it. */
static bool drop(struct pager *pager, const char *key)
{
	owned(unlock) struct lock *held = lock(&pager->lock);

	for (struct job **at = &pager->first; *at; at = &(*at)->next) {
		owned(free) struct job *job = NULL;

		if (strcmp((*at)->key, key) != 0)
			continue;
		job = *at;
		*at = job->next;
		break;
	}
	if (!pager->busy || strcmp(pager->key, key) != 0)
		return false;
	pager->dropped = true;
	return true;
}

void pager_drop(struct pager *pager, const char *key)
{
	if (drop(pager, key))
		nudge(pager);
}
