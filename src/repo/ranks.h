#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/own.h"

/*
 * Ranks: numbers that stand in the order of texts. To put a hundred thousand entries in the order
 * of their names, one would read each name somewhere in memory and wait for it; their ranks lie
 * side by side.
 *
 * Items are small numbers that the caller has chosen, such as row ids. Adding and dropping is
 * cheap; ranks_settle() then numbers all anew, a fifth of a millisecond for a hundred thousand.
 *
 * Threads: as the caller's lock says; only reading may be shared.
 */
struct ranks;

struct ranks *ranks_new(void);
void ranks_free(struct ranks *ranks);
DEFINE_OWNED(struct ranks *, ranks_free);

/* The text stays the caller's and must live until it is replaced or the item dropped. */
void ranks_add(struct ranks *ranks, size_t item, const char *text);
void ranks_drop(struct ranks *ranks, size_t item);
/* The same text lies elsewhere from now on. */
void ranks_replace(struct ranks *ranks, size_t item, const char *text);

/* Make the ranks true. Nothing was added or dropped: nothing happens. */
void ranks_settle(struct ranks *ranks);

/* Of an item that is in; texts that are equal have ranks side by side. Settled. */
uint32_t ranks_of(const struct ranks *ranks, size_t item);

/* How many texts are before this one, and how many are not behind it. Settled. */
uint32_t ranks_before(const struct ranks *ranks, const char *text);
uint32_t ranks_up_to(const struct ranks *ranks, const char *text);
