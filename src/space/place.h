#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "space/hardware.h"
#include "space/runrow.h"
#include "store/store.h"

/*
 * Places: what runs on counted hardware have for themselves, a card or one of a flavor's count, and
 * the queue for them. A run takes its places in the transaction that writes its row and gives them
 * back in the one that writes its end, so that none is ever given twice, whatever is killed.
 *
 * The queue is strict: who came first goes first, also where a later one would need less; else
 * whoever wants four cards would wait for ever. Two wait for each other only where their flavors
 * share a place. A Space that ends a run to begin the next one on the same place keeps it: it comes
 * before all others.
 *
 * Threads: any; callers bring a transaction or a reading. Only the space loop takes places.
 */
struct place {
	char name[HARDWARE_PLACE_ROOM];
};

/* As many as a run can need. */
struct places {
	struct place items[HARDWARE_CARDS_MAX];
	size_t count;
};

enum place_verdict {
	PLACE_BUSY, /* others have what it needs, or come before it */
	PLACE_OWN,  /* it is there once the Space's own run has ended */
	PLACE_FREE,
};

/*
 * Could a run of the Space on this flavor begin now, and on which places? Not counted: it is free
 * and *out is empty.
 */
must_check int place_find(struct store_db *db, const struct hardware *hardware, int64_t repo_id,
			  const char *flavor, enum place_verdict *verdict, struct places *out,
			  struct err *err);

/* The places of a run whose row is there; the Space waits no longer. Errors: ERR_EXISTS. */
must_check int place_take(struct store_db *db, const struct runrow *row,
			  const struct places *places, struct err *err);
/* Those that a run has. */
must_check int place_of_run(struct store_db *db, int64_t run_id, struct places *out,
			    struct err *err);
/*
 * A run has ended; its end and what the Space wants now are written. Where it goes on with what the
 * run had, it comes first in the queue. 1 there were places, 0 none, -1 failed.
 */
must_check int place_release(struct store_db *db, const struct hardware *hardware,
			     const struct runrow *row, struct err *err);

/* The Space waits from now on; its place in the queue, if it has one, stays. */
must_check int place_wait(struct store_db *db, int64_t repo_id, struct err *err);
/* It does not wait any more. */
must_check int place_leave(struct store_db *db, int64_t repo_id, struct err *err);
/* 1 it waits, 0 not, -1 failed. */
must_check int place_waits(struct store_db *db, int64_t repo_id, struct err *err);
/* All that wait, first ones first. */
must_check int place_each_waiting(struct store_db *db, void (*each)(void *arg, int64_t repo_id),
				  void *arg, struct err *err);

/* How it stands with a Space that waits. */
struct place_wait {
	int64_t position; /* 1: it is next; 0: it does not wait */
	int64_t waiting;  /* all who wait for the same */
	int64_t since_ms;
	size_t taken; /* places of its flavor that are taken … */
	size_t all;   /* … of so many */
};
must_check int place_look(struct store_db *db, const struct hardware *hardware, int64_t repo_id,
			  struct place_wait *out, struct err *err);
