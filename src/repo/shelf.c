#include "repo/shelf.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "repo/inner.h"
#include "repo/sizes.h"

enum {
	IDLE_MAX = 32,       /* handles, some 30 kB each */
	IDLE_MS = 60 * 1000, /* then it may hold packs open that are deleted since */
};

struct shelf {
	struct sizes *sizes;
	struct lock lock;  /* guards what follows */
	struct git *first; /* last used first */
	unsigned lent;
};

struct shelf *shelf_new(void)
{
	struct shelf *shelf = mem_new(struct shelf);

	shelf->sizes = sizes_new();
	shelf->lock = (struct lock)LOCK_INIT;
	return shelf;
}

static void free_all(struct git *first)
{
	while (first) {
		struct git *next = first->next;

		inner_free(first);
		first = next;
	}
}

void shelf_free(struct shelf *shelf)
{
	if (!shelf)
		return;
	assert(shelf->lent == 0);
	free_all(shelf->first);
	sizes_free(shelf->sizes);
	pthread_mutex_destroy(&shelf->lock.mutex);
	free(shelf);
}

/* The last used handle of this path, or NULL. Counts the loan in any case. */
static struct git *pick(struct shelf *shelf, const char *path)
{
	owned(unlock) struct lock *held = lock(&shelf->lock);

	shelf->lent++;
	for (struct git **at = &shelf->first; *at; at = &(*at)->next) {
		struct git *git = *at;

		if (strcmp(git->path, path) != 0)
			continue;
		*at = git->next;
		git->next = NULL;
		return git;
	}
	return NULL;
}

static void count_back(struct shelf *shelf)
{
	owned(unlock) struct lock *held = lock(&shelf->lock);

	shelf->lent--;
}

int shelf_open(struct shelf *shelf, const char *path, struct git **out, struct err *err)
{
	struct git *git;
	struct stat now;

	if (stat(path, &now) < 0)
		return err_set(err, ERR_NO_REPO, "no such repository");
	git = pick(shelf, path);
	if (git && (git->dev != now.st_dev || git->ino != now.st_ino)) {
		inner_free(git);
		git = NULL;
	}
	if (!git && git_open(path, &git, err) < 0) {
		count_back(shelf);
		return -1;
	}
	git->dev = now.st_dev;
	git->ino = now.st_ino;
	git->shelf = shelf;
	git->sizes = shelf->sizes;
	*out = git;
	return 0;
}

/* Cut off what lies too long or is too much. Under the lock. */
static struct git *cut(struct shelf *shelf, int64_t now_ms)
{
	struct git **at = &shelf->first;
	struct git *old;
	unsigned kept = 0;

	while (*at && kept < IDLE_MAX && now_ms - (*at)->returned_ms < IDLE_MS) {
		at = &(*at)->next;
		kept++;
	}
	old = *at;
	*at = NULL;
	return old;
}

void shelf_return(struct git *git)
{
	struct shelf *shelf = git->shelf;
	struct git *old;

	git->returned_ms = clock_mono_ms();
	{
		owned(unlock) struct lock *held = lock(&shelf->lock);

		git->next = shelf->first;
		shelf->first = git;
		shelf->lent--;
		old = cut(shelf, git->returned_ms);
	}
	free_all(old); /* closes files: not under the lock */
}
