#include "http/rate.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

/* Places that a caller may have: its own and those behind it. */
enum { PROBES = 8 };

/*
 * A place in the table. `count` holds the window's number in its upper half and the calls in its
 * lower one, so that both change in one store. A place whose window is over is free.
 *
 * Two threads may give one caller two places at the same moment, or add a call to a place that has
 * just changed hands: a limit may be missed by as many calls as there are threads.
 */
struct place {
	_Atomic uint64_t caller; /* 0: nobody's yet */
	_Atomic uint64_t count;
};

struct rate {
	uint64_t seed; /* so that nobody can choose callers that share places */
	struct place places[RATE_CALLERS];
};

struct rate *rate_new(void)
{
	struct rate *rate = mem_new(struct rate);

	random_bytes(&rate->seed, sizeof(rate->seed));
	return rate;
}

void rate_free(struct rate *rate)
{
	free(rate);
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/; the NUL parts one text from the next. */
static uint64_t add_text(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	} while (*text++);
	return hash;
}

uint64_t rate_caller(const struct rate *rate, const char *kind, const char *who)
{
	uint64_t hash = add_text(add_text(rate->seed ^ 0xcbf29ce484222325, kind), who);

	/* FNV's upper bits are the better ones; 0 is nobody. */
	return (hash ^ hash >> 32) | 1;
}

/* The number of the caller's window: each one's begin is shifted by a part of its key. */
static uint64_t window_at(uint64_t caller, int64_t now_s, uint32_t *reset_s)
{
	uint64_t shifted = (uint64_t)now_s + (caller >> 32) % RATE_WINDOW_S;

	*reset_s = (uint32_t)(RATE_WINDOW_S - shifted % RATE_WINDOW_S);
	return shifted / RATE_WINDOW_S + 1; /* 0 is that of a place without calls */
}

static bool is_over(uint64_t count, int64_t now_s)
{
	/* The least number that a window can have now, whoever's it is. */
	return count >> 32 < (uint64_t)now_s / RATE_WINDOW_S + 1;
}

/* The caller's place, or one that it can have; NULL where all are taken. */
static struct place *find_place(struct rate *rate, uint64_t caller, int64_t now_s)
{
	struct place *places[PROBES];

	for (uint64_t i = 0; i < PROBES; i++) {
		places[i] = &rate->places[(caller / 2 + i) % RATE_CALLERS];
		if (atomic_load(&places[i]->caller) == caller)
			return places[i];
	}
	for (int i = 0; i < PROBES; i++) {
		uint64_t owner = atomic_load(&places[i]->caller);

		if (owner != 0 && !is_over(atomic_load(&places[i]->count), now_s))
			continue;
		if (atomic_compare_exchange_strong(&places[i]->caller, &owner, caller) ||
		    owner == caller)
			return places[i];
	}
	return NULL;
}

/* How many calls the window has had with this one. */
static uint32_t add_call(struct place *place, uint64_t window)
{
	uint64_t old = atomic_load(&place->count);
	uint64_t now;

	do {
		now = old >> 32 == (window & UINT32_MAX) ? old : window << 32;
		now += (uint32_t)now < UINT32_MAX;
	} while (!atomic_compare_exchange_weak(&place->count, &old, now));
	return (uint32_t)now;
}

bool rate_take(struct rate *rate, uint64_t caller, uint32_t max, int64_t now_s,
	       struct rate_state *out)
{
	struct place *place = find_place(rate, caller, now_s);
	uint64_t window = window_at(caller, now_s, &out->reset_s);
	uint32_t calls = place ? add_call(place, window) : 1;

	out->left = calls < max ? max - calls : 0;
	return calls <= max;
}
