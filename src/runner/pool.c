#include "runner/pool.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/lock.h"
#include "base/mem.h"

struct job {
	struct job *next;
	struct pool_job job;
};

struct pool {
	struct loop *loop;
	pthread_t *threads;
	unsigned thread_count;
	struct lock lock; /* guards first, last, ending */
	pthread_cond_t wanted;
	struct job *first;
	struct job **last;
	bool ending;
};

static struct job *next_job(struct pool *pool)
{
	owned(unlock) struct lock *held = lock(&pool->lock);
	struct job *job;

	while (!pool->first && !pool->ending)
		pthread_cond_wait(&pool->wanted, &pool->lock.mutex);
	if (pool->ending)
		return NULL;
	job = pool->first;
	pool->first = job->next;
	if (!pool->first)
		pool->last = &pool->first;
	return job;
}

static void *work(void *arg)
{
	struct pool *pool = arg;
	struct job *job;

	while ((job = next_job(pool))) {
		job->job.work(job->job.arg);
		loop_post(pool->loop, job->job.done, job->job.arg);
		free(job);
	}
	return NULL;
}

int pool_new(struct loop *loop, unsigned threads, struct pool **out, struct err *err)
{
	owned(pool_free) struct pool *pool = mem_new(struct pool);

	pool->loop = loop;
	pool->lock = (struct lock)LOCK_INIT;
	pool->last = &pool->first;
	pthread_cond_init(&pool->wanted, NULL);
	pool->threads = mem_array(threads, sizeof(*pool->threads));
	for (; pool->thread_count < threads; pool->thread_count++)
		if (pthread_create(&pool->threads[pool->thread_count], NULL, work, pool) != 0)
			return err_set(err, ERR_SYSTEM, "start a thread");
	*out = take(pool);
	return 0;
}

static void end(struct pool *pool)
{
	owned(unlock) struct lock *held = lock(&pool->lock);

	pool->ending = true;
	pthread_cond_broadcast(&pool->wanted);
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	end(pool);
	for (unsigned i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
	while (pool->first) {
		struct job *job = pool->first;

		pool->first = job->next;
		free(job);
	}
	pthread_cond_destroy(&pool->wanted);
	free(pool->threads);
	free(pool);
}

void pool_add(struct pool *pool, const struct pool_job *job)
{
	struct job *added = mem_new(struct job);
	owned(unlock) struct lock *held = lock(&pool->lock);

	added->job = *job;
	*pool->last = added;
	pool->last = &added->next;
	pthread_cond_signal(&pool->wanted);
}
