#include "http/feed.h"

#include <string.h>

#include "base/lock.h"
#include "base/mem.h"
#include "base/str.h"

struct feed {
	struct lock lock; /* guards the rest */
	unsigned holders;
	struct str text;
	size_t taken; /* bytes of it that were given out */
	bool is_ended;
	bool is_left;
	void (*wake)(void *arg, struct feed *feed);
	void *arg;
};

struct feed *feed_new(void)
{
	struct feed *feed = mem_new(struct feed);

	feed->lock = (struct lock)LOCK_INIT;
	feed->holders = 1;
	feed->text = str_new(FEED_MAX_BYTES);
	return feed;
}

struct feed *feed_ref(struct feed *feed)
{
	owned(unlock) struct lock *held = lock(&feed->lock);

	feed->holders++;
	return feed;
}

static bool is_last(struct feed *feed)
{
	owned(unlock) struct lock *held = lock(&feed->lock);

	return --feed->holders == 0;
}

void feed_unref(struct feed *feed)
{
	if (!feed || !is_last(feed))
		return;
	str_done(&feed->text);
	pthread_mutex_destroy(&feed->lock.mutex);
	free(feed);
}

/* Tell the stream, without the lock: it has one of its own. */
static void tell(struct feed *feed)
{
	void (*wake)(void *arg, struct feed *feed);
	void *arg;

	{
		owned(unlock) struct lock *held = lock(&feed->lock);

		wake = feed->is_left ? NULL : feed->wake;
		arg = feed->arg;
	}
	if (wake)
		wake(arg, feed);
}

/* Where there is no room the text is marked as failed, which is seen when it is read. */
void feed_add(struct feed *feed, const char *events)
{
	{
		owned(unlock) struct lock *held = lock(&feed->lock);

		if (feed->is_ended || feed->is_left)
			return;
		str_add(&feed->text, events);
	}
	tell(feed);
}

void feed_end(struct feed *feed)
{
	{
		owned(unlock) struct lock *held = lock(&feed->lock);

		feed->is_ended = true;
	}
	tell(feed);
}

bool feed_is_left(struct feed *feed)
{
	owned(unlock) struct lock *held = lock(&feed->lock);

	return feed->is_left;
}

void feed_listen(struct feed *feed, void (*wake)(void *arg, struct feed *feed), void *arg)
{
	owned(unlock) struct lock *held = lock(&feed->lock);

	feed->wake = wake;
	feed->arg = arg;
}

void feed_leave(struct feed *feed)
{
	owned(unlock) struct lock *held = lock(&feed->lock);

	feed->is_left = true;
}

enum feed_state feed_read(struct feed *feed, char *out, size_t max, size_t *length)
{
	owned(unlock) struct lock *held = lock(&feed->lock);
	size_t left = feed->text.length - feed->taken;

	if (feed->text.failed)
		return FEED_CUT;
	if (left == 0)
		return feed->is_ended ? FEED_END : FEED_WAIT;
	*length = left < max ? left : max;
	memcpy(out, feed->text.data + feed->taken, *length);
	feed->taken += *length;
	if (feed->taken == feed->text.length) {
		str_clear(&feed->text);
		feed->taken = 0;
	}
	return FEED_DATA;
}
