#include "space/crew.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/lock.h"
#include "base/mem.h"

struct job {
	struct job *next;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

/* First in, first out. */
struct queue {
	struct job *first;
	struct job **last;
};

struct crew {
	struct loop *loop;
	pthread_t threads[CREW_THREADS_MAX];
	unsigned count;
	struct lock lock; /* guards all below */
	pthread_cond_t more;
	struct queue waiting;
	struct queue finished;
	bool delivering; /* deliver() is posted and has not run yet */
	bool ending;
};

static void push(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
}

static struct job *pop(struct queue *queue)
{
	struct job *job = queue->first;

	if (job && !(queue->first = job->next))
		queue->last = &queue->first;
	return job;
}

static struct job *pop_finished(struct crew *crew)
{
	owned(unlock) struct lock *held = lock(&crew->lock);

	return pop(&crew->finished);
}

static void deliver_all(struct crew *crew)
{
	struct job *job;

	while ((job = pop_finished(crew))) {
		job->done(job->arg);
		free(job);
	}
}

static void deliver(void *arg)
{
	struct crew *crew = arg;

	{
		owned(unlock) struct lock *held = lock(&crew->lock);

		crew->delivering = false;
	}
	deliver_all(crew);
}

/* Wait for a job; NULL when there is none and none will come. */
static struct job *next_job(struct crew *crew)
{
	owned(unlock) struct lock *held = lock(&crew->lock);

	while (!crew->waiting.first && !crew->ending)
		pthread_cond_wait(&crew->more, &crew->lock.mutex);
	return pop(&crew->waiting);
}

/* True if the loop must be told. */
static bool finish(struct crew *crew, struct job *job)
{
	owned(unlock) struct lock *held = lock(&crew->lock);
	bool tell = !crew->delivering && !crew->ending;

	push(&crew->finished, job);
	crew->delivering = crew->delivering || tell;
	return tell;
}

static void *work(void *arg)
{
	struct crew *crew = arg;
	struct job *job;

	while ((job = next_job(crew))) {
		job->work(job->arg);
		if (finish(crew, job))
			loop_post(crew->loop, deliver, crew);
	}
	return NULL;
}

int crew_new(struct loop *loop, unsigned threads, struct crew **out, struct err *err)
{
	struct crew *crew = mem_new(struct crew);

	assert(threads > 0 && threads <= CREW_THREADS_MAX);
	crew->loop = loop;
	crew->lock = (struct lock)LOCK_INIT;
	pthread_cond_init(&crew->more, NULL);
	crew->waiting.last = &crew->waiting.first;
	crew->finished.last = &crew->finished.first;
	for (; crew->count < threads; crew->count++) {
		if (pthread_create(&crew->threads[crew->count], NULL, work, crew) == 0)
			continue;
		crew_free(crew);
		return err_set(err, ERR_SYSTEM, "start a thread");
	}
	*out = crew;
	return 0;
}

void crew_do(struct crew *crew, void (*job_work)(void *arg), void (*done)(void *arg), void *arg)
{
	owned(unlock) struct lock *held = lock(&crew->lock);
	struct job *job = mem_new(struct job);

	*job = (struct job){.work = job_work, .done = done, .arg = arg};
	push(&crew->waiting, job);
	pthread_cond_signal(&crew->more);
}

void crew_free(struct crew *crew)
{
	if (!crew)
		return;
	{
		owned(unlock) struct lock *held = lock(&crew->lock);

		crew->ending = true;
		pthread_cond_broadcast(&crew->more);
	}
	for (unsigned i = 0; i < crew->count; i++)
		pthread_join(crew->threads[i], NULL);
	deliver_all(crew);
	pthread_cond_destroy(&crew->more);
	free(crew);
}
