#include "repo/ranks.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* What the rank of an item says that is not in, or not any more. */
enum { RANK_NONE = UINT32_MAX };

struct named {
	const char *text;
	uint32_t item;
};

struct ranks {
	struct named *sorted;
	size_t count;
	struct named *added; /* in no order */
	size_t added_count;
	bool dropped;   /* something in `sorted` is not in any more */
	uint32_t *rank; /* by item */
	size_t room;    /* of it */
};

struct ranks *ranks_new(void)
{
	return mem_new(struct ranks);
}

void ranks_free(struct ranks *ranks)
{
	if (!ranks)
		return;
	free(ranks->sorted);
	free(ranks->added);
	free(ranks->rank);
	free(ranks);
}

static void make_room(struct ranks *ranks, size_t item)
{
	size_t room = ranks->room ? ranks->room : 1024;

	if (item < ranks->room)
		return;
	while (room <= item)
		room *= 2;
	ranks->rank = mem_grow(ranks->rank, room, sizeof(*ranks->rank));
	memset(ranks->rank + ranks->room, 0xff, (room - ranks->room) * sizeof(*ranks->rank));
	ranks->room = room;
}

void ranks_add(struct ranks *ranks, size_t item, const char *text)
{
	assert(item < RANK_NONE);
	make_room(ranks, item);
	ranks->added = mem_grow(ranks->added, ranks->added_count + 1, sizeof(*ranks->added));
	ranks->added[ranks->added_count++] = (struct named){text, (uint32_t)item};
}

/* Where an item that is in stands: until ranks_settle() nothing moves in `sorted`. */
static struct named *find(struct ranks *ranks, size_t item)
{
	assert(item < ranks->room);
	if (ranks->rank[item] != RANK_NONE)
		return &ranks->sorted[ranks->rank[item]];
	for (size_t i = 0; i < ranks->added_count; i++)
		if (ranks->added[i].item == item)
			return &ranks->added[i];
	assert(!"in");
	return NULL;
}

void ranks_drop(struct ranks *ranks, size_t item)
{
	struct named *named = find(ranks, item);

	if (ranks->rank[item] == RANK_NONE)
		*named = ranks->added[--ranks->added_count];
	else
		ranks->dropped = true;
	ranks->rank[item] = RANK_NONE;
}

void ranks_replace(struct ranks *ranks, size_t item, const char *text)
{
	find(ranks, item)->text = text;
}

static int compare(const void *a, const void *b)
{
	const struct named *left = a;
	const struct named *right = b;
	int order = strcmp(left->text, right->text);

	return order ? order : (left->item > right->item) - (left->item < right->item);
}

static void take_out_dropped(struct ranks *ranks)
{
	size_t kept = 0;

	if (!ranks->dropped)
		return;
	for (size_t i = 0; i < ranks->count; i++)
		if (ranks->rank[ranks->sorted[i].item] == i)
			ranks->sorted[kept++] = ranks->sorted[i];
	ranks->count = kept;
	ranks->dropped = false;
}

/* How many of `sorted` come before it, or would if it were one of them. */
static size_t find_place(const struct named *sorted, size_t count, const struct named *named)
{
	size_t low = 0;

	while (count > 0) {
		size_t half = count / 2;

		if (compare(&sorted[low + half], named) < 0) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return low;
}

/* From the end: what is behind a new one moves to its place at once, unread. */
static void merge(struct ranks *ranks)
{
	size_t from = ranks->count;
	size_t to = ranks->count + ranks->added_count;

	qsort(ranks->added, ranks->added_count, sizeof(*ranks->added), compare);
	ranks->sorted = mem_grow(ranks->sorted, to, sizeof(*ranks->sorted));
	ranks->count = to;
	for (size_t i = ranks->added_count; i-- > 0;) {
		size_t place = find_place(ranks->sorted, from, &ranks->added[i]);

		to -= from - place;
		memmove(&ranks->sorted[to], &ranks->sorted[place],
			(from - place) * sizeof(*ranks->sorted));
		from = place;
		ranks->sorted[--to] = ranks->added[i];
	}
	ranks->added_count = 0;
}

void ranks_settle(struct ranks *ranks)
{
	if (!ranks->dropped && ranks->added_count == 0)
		return;
	take_out_dropped(ranks);
	merge(ranks);
	for (size_t i = 0; i < ranks->count; i++)
		ranks->rank[ranks->sorted[i].item] = (uint32_t)i;
}

static bool is_settled(const struct ranks *ranks)
{
	return !ranks->dropped && ranks->added_count == 0;
}

uint32_t ranks_of(const struct ranks *ranks, size_t item)
{
	assert(item < ranks->room && ranks->rank[item] != RANK_NONE);
	return ranks->rank[item];
}

uint32_t ranks_before(const struct ranks *ranks, const char *text)
{
	const struct named first = {text, 0};

	assert(is_settled(ranks));
	return (uint32_t)find_place(ranks->sorted, ranks->count, &first);
}

uint32_t ranks_up_to(const struct ranks *ranks, const char *text)
{
	const struct named last = {text, RANK_NONE};

	assert(is_settled(ranks));
	return (uint32_t)find_place(ranks->sorted, ranks->count, &last);
}
