#include "base/syncs.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	THREADS_MAX = 7, /* besides the caller's */
	STACK_BYTES = 64 << 10,
};

struct syncs {
	int *fds;
	size_t count;
	size_t room;
	atomic_size_t next; /* which is to be synced next */
	atomic_int failed;  /* an errno */
};

struct syncs *syncs_new(void)
{
	return mem_new(struct syncs);
}

static void close_all(struct syncs *syncs)
{
	for (size_t i = 0; i < syncs->count; i++)
		close(syncs->fds[i]);
	syncs->count = 0;
}

void syncs_free(struct syncs *syncs)
{
	if (!syncs)
		return;
	close_all(syncs);
	free(syncs->fds);
	free(syncs);
}

void syncs_add(struct syncs *syncs, int fd)
{
	if (syncs->count == syncs->room) {
		syncs->room = syncs->room ? syncs->room * 2 : 16;
		syncs->fds = mem_grow(syncs->fds, syncs->room, sizeof(*syncs->fds));
	}
	syncs->fds[syncs->count++] = fd;
}

static void *work(void *arg)
{
	struct syncs *syncs = arg;
	size_t i;

	while ((i = atomic_fetch_add(&syncs->next, 1)) < syncs->count)
		if (fsync(syncs->fds[i]) < 0)
			atomic_store(&syncs->failed, errno);
	return NULL;
}

/* Threads that cannot be made are no loss: the caller does what is left. */
static size_t start(struct syncs *syncs, pthread_t threads[static THREADS_MAX])
{
	pthread_attr_t attributes;
	size_t count = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	while (count < THREADS_MAX && count + 1 < syncs->count &&
	       pthread_create(&threads[count], &attributes, work, syncs) == 0)
		count++;
	pthread_attr_destroy(&attributes);
	return count;
}

int syncs_run(struct syncs *syncs, struct err *err)
{
	pthread_t threads[THREADS_MAX];
	size_t count;

	atomic_store(&syncs->next, 0);
	atomic_store(&syncs->failed, 0);
	count = start(syncs, threads);
	work(syncs);
	while (count > 0)
		pthread_join(threads[--count], NULL);
	close_all(syncs);
	errno = atomic_load(&syncs->failed);
	return errno ? err_sys(err, "sync to the disk") : 0;
}
