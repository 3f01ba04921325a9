#include "repo/history.h"

#include <assert.h>
#include <git2/revwalk.h>
#include <stdatomic.h>
#include <string.h>

#include "base/lock.h"
#include "base/mem.h"
#include "repo/inner.h"

DEFINE_OWNED(git_revwalk *, git_revwalk_free);

/* Histories of heads that are asked for again. Looked through one by one. */
enum { KEPT_MAX = 64 };

/* Oldest first: a commit on top goes to the end. */
struct history {
	atomic_int references;
	bool whole;
	size_t count;
	size_t room;
	git_oid *ids;
};

struct history_memory {
	size_t max_bytes;
	/* Guards what follows: the most recently used first. */
	struct lock lock;
	size_t count;
	size_t bytes;
	struct history *kept[KEPT_MAX];
};

struct history_memory *history_memory_new(size_t max_bytes)
{
	struct history_memory *memory = mem_new(struct history_memory);

	memory->max_bytes = max_bytes;
	memory->lock = (struct lock)LOCK_INIT;
	return memory;
}

void history_memory_free(struct history_memory *memory)
{
	if (!memory)
		return;
	for (size_t i = 0; i < memory->count; i++)
		history_unref(memory->kept[i]);
	free(memory);
}

static struct history *history_new(void)
{
	struct history *history = mem_new(struct history);

	atomic_init(&history->references, 1);
	history->whole = true;
	return history;
}

void history_unref(struct history *history)
{
	if (!history || atomic_fetch_sub(&history->references, 1) > 1)
		return;
	free(history->ids);
	free(history);
}

size_t history_count(const struct history *history)
{
	return history->count;
}

bool history_is_whole(const struct history *history)
{
	return history->whole;
}

void history_at(const struct history *history, size_t position, char commit[static GIT_HEX])
{
	assert(position < history->count);
	git_oid_tostr(commit, GIT_HEX, &history->ids[history->count - 1 - position]);
}

static void history_add(struct history *history, const git_oid *ids, size_t count)
{
	if (count == 0)
		return;
	if (history->count + count > history->room) {
		history->room = (history->count + count) * 3 / 2 + 16;
		history->ids = mem_grow(history->ids, history->room, sizeof(git_oid));
	}
	memcpy(history->ids + history->count, ids, count * sizeof(git_oid));
	history->count += count;
}

static void history_reverse(struct history *history)
{
	for (size_t i = 0, j = history->count; i + 1 < j; i++) {
		git_oid swapped = history->ids[--j];

		history->ids[j] = history->ids[i];
		history->ids[i] = swapped;
	}
}

/* Remembering */

static size_t bytes_of(const struct history *history)
{
	return sizeof(*history) + history->room * sizeof(git_oid);
}

static void put_first(struct history_memory *memory, size_t from, struct history *history)
{
	memmove(&memory->kept[1], &memory->kept[0], from * sizeof(struct history *));
	memory->kept[0] = history;
}

/* For history_unref(); NULL where it is not remembered. */
static struct history *recall(struct history_memory *memory, const git_oid *head)
{
	owned(unlock) struct lock *held = lock(&memory->lock);

	for (size_t i = 0; i < memory->count; i++) {
		struct history *history = memory->kept[i];

		if (!git_oid_equal(&history->ids[history->count - 1], head))
			continue;
		put_first(memory, i, history);
		atomic_fetch_add(&history->references, 1);
		return history;
	}
	return NULL;
}

static void remember(struct history_memory *memory, struct history *history)
{
	owned(unlock) struct lock *held = lock(&memory->lock);

	if (bytes_of(history) > memory->max_bytes)
		return;
	while (memory->count == KEPT_MAX || memory->bytes + bytes_of(history) > memory->max_bytes) {
		struct history *last = memory->kept[--memory->count];

		memory->bytes -= bytes_of(last);
		history_unref(last);
	}
	atomic_fetch_add(&history->references, 1);
	memory->bytes += bytes_of(history);
	put_first(memory, memory->count++, history);
}

/* Walking */

/* What git shows from here on, newest first. */
static int add_walk(struct history *history, struct git *git, const git_oid *from, size_t max,
		    struct err *err)
{
	owned(git_revwalk_free) git_revwalk *walk = NULL;
	git_oid id;
	int rc = 0;

	if (git_revwalk_new(&walk, git->repo) < 0 || git_revwalk_push(walk, from) < 0)
		return inner_fail(err, "read a history");
	while (history->count <= max && (rc = git_revwalk_next(&id, walk)) == 0)
		history_add(history, &id, 1);
	return rc == 0 || rc == GIT_ITEROVER ? 0 : inner_fail(err, "read a history");
}

/*
 * Down while each commit has one parent, newest first: until there is a history that is remembered,
 * whose order goes on from there, or a merge, from which git must walk.
 */
static int add_line(struct history_memory *memory, struct history *history, struct git *git,
		    git_oid id, size_t max, struct history **below, struct err *err)
{
	while (history->count <= max && !(*below = recall(memory, &id))) {
		owned(git_commit_free) git_commit *commit = NULL;
		unsigned parents;

		if (git_commit_lookup(&commit, git->repo, &id) < 0)
			return inner_fail(err, "read a commit");
		parents = git_commit_parentcount(commit);
		if (parents > 1)
			return add_walk(history, git, &id, max, err);
		history_add(history, &id, 1);
		if (parents == 0)
			return 0;
		id = *git_commit_parent_id(commit, 0);
	}
	return 0;
}

/* The newest `max` of `below` with those of `above` on top, both oldest first. */
static struct history *join(const struct history *below, const struct history *above, size_t max)
{
	struct history *history = history_new();
	size_t total = below->count + above->count;
	size_t drop = total > max ? total - max : 0;

	if (drop > below->count)
		drop = below->count;
	history_add(history, below->ids + drop, below->count - drop);
	history_add(history, above->ids, above->count);
	history->whole = below->whole && drop == 0;
	return history;
}

/* What is too old falls out. */
static void cut(struct history *history, size_t max)
{
	if (history->count <= max)
		return;
	history->whole = false;
	memmove(history->ids, history->ids + history->count - max, max * sizeof(git_oid));
	history->count = max;
}

static int walk(struct history_memory *memory, struct git *git, const git_oid *head, size_t max,
		struct history **out, struct err *err)
{
	owned(history_unref) struct history *history = history_new();
	owned(history_unref) struct history *below = NULL;

	if (add_line(memory, history, git, *head, max, &below, err) < 0)
		return -1;
	history_reverse(history);
	cut(history, max);
	*out = below ? join(below, history, max) : take(history);
	remember(memory, *out);
	return 0;
}

int history_of(struct history_memory *memory, struct git *git, const char *commit, size_t max,
	       struct history **out, struct err *err)
{
	owned(git_commit_free) git_commit *head = NULL;
	struct history *known;

	if (inner_commit(git, commit, &head, err) < 0)
		return -1;
	known = recall(memory, git_commit_id(head));
	if (!known)
		return walk(memory, git, git_commit_id(head), max, out, err);
	*out = known;
	return 0;
}
