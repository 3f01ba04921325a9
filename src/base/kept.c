#include "base/kept.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/lock.h"
#include "base/mem.h"

enum {
	BUCKETS = 1024,
	LARGEST_SHARE = 8, /* of the room, for one text */
};

struct item {
	struct kept_text text; /* first: the two have one address */
	char *bytes;           /* the text's, to be freed */
	atomic_uint users;     /* the cache is one of them */
	/* Of the cache, while it is in there: */
	char *key;
	struct item *next; /* in its bucket */
	struct item *newer, *older;
};

struct kept {
	size_t max_bytes;
	struct lock lock; /* guards what follows, and the fields of items that say so */
	size_t bytes;
	struct item *newest, *oldest;
	struct item *buckets[BUCKETS];
};

struct kept *kept_new(size_t max_bytes)
{
	struct kept *kept = mem_new(struct kept);

	kept->max_bytes = max_bytes;
	kept->lock = (struct lock)LOCK_INIT;
	return kept;
}

void kept_unref(struct kept_text *text)
{
	struct item *item = (struct item *)text;

	if (!item || atomic_fetch_sub(&item->users, 1) > 1)
		return;
	free(item->bytes);
	free(item->key);
	free(item);
}

void kept_free(struct kept *kept)
{
	if (!kept)
		return;
	while (kept->newest) {
		struct item *item = kept->newest;

		kept->newest = item->older;
		kept_unref(&item->text);
	}
	pthread_mutex_destroy(&kept->lock.mutex);
	free(kept);
}

/* What points at the item of this key, or at the NULL where it belongs. */
static struct item **find_place(struct kept *kept, const char *key)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a, 64 bits */
	struct item **at;

	for (const char *c = key; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211u;
	at = &kept->buckets[hash % BUCKETS];
	while (*at && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

/* What an item takes, with an estimate for its own fields. */
static size_t cost(const struct item *item)
{
	return item->text.length + strlen(item->key) + sizeof(*item);
}

static void leave_line(struct kept *kept, struct item *item)
{
	*(item->newer ? &item->newer->older : &kept->newest) = item->older;
	*(item->older ? &item->older->newer : &kept->oldest) = item->newer;
}

static void enter_line(struct kept *kept, struct item *item)
{
	item->newer = NULL;
	item->older = kept->newest;
	*(item->older ? &item->older->newer : &kept->oldest) = item;
	kept->newest = item;
}

static void drop(struct kept *kept, struct item **place)
{
	struct item *item = *place;

	assert(item); /* the one that find_place() was asked for is in its bucket */
	*place = item->next;
	leave_line(kept, item);
	kept->bytes -= cost(item);
	kept_unref(&item->text);
}

struct kept_text *kept_find(struct kept *kept, const char *key)
{
	owned(unlock) struct lock *held = lock(&kept->lock);
	struct item *item = *find_place(kept, key);

	if (!item)
		return NULL;
	leave_line(kept, item);
	enter_line(kept, item);
	atomic_fetch_add(&item->users, 1);
	return &item->text;
}

struct kept_text *kept_put(struct kept *kept, const char *key, char *bytes, size_t length)
{
	struct item *item = mem_new(struct item);
	struct item **place;

	item->text = (struct kept_text){.bytes = bytes, .length = length};
	item->bytes = bytes;
	item->key = mem_text(key);
	atomic_init(&item->users, 1);
	if (cost(item) > kept->max_bytes / LARGEST_SHARE)
		return &item->text;

	owned(unlock) struct lock *held = lock(&kept->lock);
	place = find_place(kept, key);
	if (*place) /* somebody else has made the same text meanwhile */
		drop(kept, place);
	item->next = *place;
	*place = item;
	enter_line(kept, item);
	kept->bytes += cost(item);
	atomic_fetch_add(&item->users, 1);
	while (kept->bytes > kept->max_bytes)
		drop(kept, find_place(kept, kept->oldest->key));
	return &item->text;
}
