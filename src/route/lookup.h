#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "route/layout.h"

/*
 * Lookup: from the Host of a request to an entry of the table, and the counting of a visit. Shared
 * by the hub and the nginx module, so inline, without allocation and without anything else of ours.
 *
 * Threads: any number of readers beside the one writer. A row of counters has one writer.
 */

/* A slug as the table holds it. */
struct route_key {
	uint64_t words[ROUTE_SLUG_WORDS];
	uint32_t hash;
};

/* What an entry said at one moment. */
struct route_target {
	enum route_state state;
	enum route_access access;
	uint32_t address;
	uint16_t port;
	unsigned side;
};

/* FNV-1a, 32 bit (draft-eastlake-fnv). */
static inline uint32_t route_hash(const char *slug, size_t length)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)slug[i]) * 16777619U;
	return hash;
}

/*
 * The key of one DNS label, upper case made lower. False for what no Space is called: an empty or
 * too long one, or bytes other than letters, digits and '-'.
 */
static inline bool route_key_init(struct route_key *key, const char *label, size_t length)
{
	char slug[ROUTE_SLUG_ROOM] = {0};

	if (length == 0 || length >= ROUTE_SLUG_ROOM)
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = label[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
		slug[i] = c;
	}
	memcpy(key->words, slug, sizeof(key->words));
	key->hash = route_hash(slug, length);
	return true;
}

/*
 * The length of the label in front of ".suffix", or 0 where the host is no name directly under the
 * suffix. Letters compare without case.
 */
static inline size_t route_label_length(const char *host, size_t length, const char *suffix,
					size_t suffix_length)
{
	size_t label;

	if (length < suffix_length + 2)
		return 0;
	label = length - suffix_length - 1;
	if (host[label] != '.' || memchr(host, '.', label))
		return 0;
	for (size_t i = 0; i < suffix_length; i++) {
		char c = host[label + 1 + i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c != suffix[i])
			return 0;
	}
	return label;
}

static inline bool route_entry_has(const struct route_entry *entry, const struct route_key *key)
{
	for (size_t i = 0; i < ROUTE_SLUG_WORDS; i++) {
		if (atomic_load_explicit(&entry->slug[i], memory_order_acquire) != key->words[i])
			return false;
	}
	return true;
}

/*
 * The entry of a slug, or NULL. It may get another slug while the caller looks at it: route_read()
 * and route_enter() notice that.
 */
static inline struct route_entry *route_find(struct route_table *table, const struct route_key *key)
{
	for (uint32_t i = 0; i < ROUTE_PROBES; i++) {
		struct route_entry *entry = &table->entries[(key->hash + i) % ROUTE_ENTRIES];

		if (atomic_load_explicit(&entry->state, memory_order_acquire) == ROUTE_EMPTY)
			return NULL;
		if (route_entry_has(entry, key))
			return entry;
	}
	return NULL;
}

/* Also in a table that was written by who knows whom, an index of `places` and `open`. */
static inline unsigned route_side(const struct route_entry *entry)
{
	return atomic_load(&entry->side) % ROUTE_SIDES;
}

/*
 * Read an entry as the hub wrote it in one go. False where it is no longer this slug's, or where
 * the hub was met in the middle of writing ROUTE_SPINS times (it died there): then ask.
 */
static inline bool route_read(const struct route_entry *entry, const struct route_key *key,
			      struct route_target *out)
{
	for (int spin = 0; spin < ROUTE_SPINS; spin++) {
		uint32_t before = atomic_load(&entry->sequence);
		bool same;

		if (before % 2)
			continue;
		out->state = (enum route_state)atomic_load(&entry->state);
		out->access = (enum route_access)atomic_load(&entry->access);
		out->side = route_side(entry);
		out->address = atomic_load(&entry->places[out->side].address);
		out->port = (uint16_t)atomic_load(&entry->places[out->side].port);
		same = route_entry_has(entry, key);
		if (atomic_load(&entry->sequence) == before)
			return same;
	}
	return false;
}

/* Where worker `row` counts the visits of an entry. */
static inline struct route_counters *route_counters_of(struct route_table *table, unsigned row,
						       const struct route_entry *entry)
{
	return &table->counters[row][entry - table->entries];
}

/*
 * A visit whose answer tells the client what to ask for next: counted before route_enter(), so that
 * who holds new visits back and sums then misses none.
 */
static inline void route_opening(struct route_counters *counters)
{
	atomic_fetch_add(&counters->opening, 1);
}

/* It goes elsewhere. */
static inline void route_not_opened(struct route_counters *counters)
{
	atomic_fetch_sub(&counters->opening, 1);
}

/* It was answered: who then sees none open sees the time as well. */
static inline void route_opened(struct route_counters *counters, uint64_t now_ms)
{
	atomic_store(&counters->opened_ms, now_ms);
	atomic_fetch_sub(&counters->opening, 1);
}

/* A visit that is counted has become a WebSocket; and is over, before route_leave(). */
static inline void route_upgraded(struct route_counters *counters)
{
	atomic_fetch_add(&counters->sockets, 1);
}

static inline void route_not_upgraded(struct route_counters *counters)
{
	atomic_fetch_sub(&counters->sockets, 1);
}

/* The visit that route_enter() counted on `side` is over, or goes elsewhere. */
static inline void route_leave(struct route_counters *counters, unsigned side, uint64_t bytes,
			       uint64_t now_ms)
{
	atomic_fetch_add(&counters->bytes, bytes);
	atomic_store(&counters->activity_ms, now_ms);
	atomic_fetch_sub(&counters->open[side], 1);
}

/*
 * Count a visit in the worker's counters of the entry, then read where it may go: the binding
 * order. True: the visit is counted on out->side until route_leave(). False: nothing is counted,
 * ask.
 */
static inline bool route_enter(const struct route_entry *entry, struct route_counters *counters,
			       const struct route_key *key, uint64_t now_ms,
			       struct route_target *out)
{
	unsigned side = route_side(entry);

	atomic_fetch_add(&counters->requests, 1);
	for (int spin = 0; spin < ROUTE_SPINS; spin++) {
		atomic_fetch_add(&counters->open[side], 1);
		if (!route_read(entry, key, out)) {
			atomic_fetch_sub(&counters->open[side], 1);
			return false;
		}
		if (out->side == side) {
			atomic_store(&counters->activity_ms, now_ms);
			return true;
		}
		/* The address has changed meanwhile: count where the new one counts. */
		atomic_fetch_sub(&counters->open[side], 1);
		side = out->side;
	}
	return false;
}
