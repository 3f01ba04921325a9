#include "repo/terms.h"

#include <string.h>

#include "base/mem.h"

#define NONE UINT32_MAX

enum { FIRST_BUCKETS = 1024 };

/* Free numbers are a chain by `next` as well. */
struct term {
	char *text; /* NULL: free */
	uint32_t next;
	uint32_t held;
};

struct terms {
	struct term *items;
	uint32_t end;
	uint32_t room;
	uint32_t free;
	uint32_t *buckets; /* a power of two of them */
	uint32_t bucket_count;
};

static uint32_t *make_buckets(uint32_t count)
{
	uint32_t *buckets = mem_array(count, sizeof(*buckets));

	memset(buckets, 0xff, count * sizeof(*buckets));
	return buckets;
}

struct terms *terms_new(void)
{
	struct terms *terms = mem_new(struct terms);

	terms->free = NONE;
	terms->bucket_count = FIRST_BUCKETS;
	terms->buckets = make_buckets(FIRST_BUCKETS);
	return terms;
}

void terms_free(struct terms *terms)
{
	if (!terms)
		return;
	for (uint32_t i = 0; i < terms->end; i++)
		free(terms->items[i].text);
	free(terms->items);
	free(terms->buckets);
	free(terms);
}

static uint32_t *bucket_of(const struct terms *terms, const char *text, size_t length)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a, 64 bits */

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	return &terms->buckets[(hash ^ hash >> 32) & (terms->bucket_count - 1)];
}

static uint32_t find(const struct terms *terms, const char *text, size_t length)
{
	uint32_t at = *bucket_of(terms, text, length);

	while (at != NONE &&
	       (strncmp(terms->items[at].text, text, length) != 0 || terms->items[at].text[length]))
		at = terms->items[at].next;
	return at;
}

static void link_in(struct terms *terms, uint32_t term)
{
	const char *text = terms->items[term].text;
	uint32_t *bucket = bucket_of(terms, text, strlen(text));

	terms->items[term].next = *bucket;
	*bucket = term;
}

static void widen(struct terms *terms)
{
	free(terms->buckets);
	terms->bucket_count *= 2;
	terms->buckets = make_buckets(terms->bucket_count);
	for (uint32_t i = 0; i < terms->end; i++)
		if (terms->items[i].text)
			link_in(terms, i);
}

static uint32_t new_number(struct terms *terms)
{
	uint32_t term = terms->free;

	if (term != NONE) {
		terms->free = terms->items[term].next;
		return term;
	}
	if (terms->end == terms->room) {
		terms->room = terms->room ? 2 * terms->room : FIRST_BUCKETS;
		terms->items = mem_grow(terms->items, terms->room, sizeof(*terms->items));
	}
	if (terms->end == terms->bucket_count)
		widen(terms);
	return terms->end++;
}

uint32_t terms_hold(struct terms *terms, const char *text, size_t length)
{
	uint32_t term = find(terms, text, length);

	if (term == NONE) {
		term = new_number(terms);
		terms->items[term] = (struct term){.text = mem_text_n(text, length)};
		link_in(terms, term);
	}
	terms->items[term].held++;
	return term;
}

void terms_drop(struct terms *terms, uint32_t term)
{
	struct term *item = &terms->items[term];
	uint32_t *link;

	if (--item->held > 0)
		return;
	link = bucket_of(terms, item->text, strlen(item->text));
	while (*link != term)
		link = &terms->items[*link].next;
	*link = item->next;
	free(item->text);
	*item = (struct term){.next = terms->free};
	terms->free = term;
}

bool terms_find(const struct terms *terms, const char *text, uint32_t *out)
{
	uint32_t term = find(terms, text, strlen(text));

	if (term == NONE)
		return false;
	*out = term;
	return true;
}

uint32_t terms_end(const struct terms *terms)
{
	return terms->end;
}

const char *terms_text(const struct terms *terms, uint32_t term)
{
	return terms->items[term].text;
}
