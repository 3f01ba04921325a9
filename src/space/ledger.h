#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"
#include "store/store.h"

/*
 * Ledger: what Spaces have used, and what it costs. One row for each span in which an app's process
 * existed and was awake, on one flavor at one price; begun and ended in the transaction of the
 * transition, so that a hub that is killed leaves neither gap nor overlap. Nothing is sampled.
 * Builds and sleep are not counted.
 *
 * A span's length is that of the monotonic clock: a wall clock that is set changes nothing. Where
 * the machine was started anew in between, only the wall clock is left. A run that is lost without
 * a report of its end (the machine lost power, everything was killed) is counted until
 * ledger_last_seen(): that is a minute too little at most, never too much.
 *
 * Filters look at the wall clock: a span lies from where it began by that clock to its length
 * behind it. So what is used before and behind any moment adds up to the whole.
 *
 * Units: milliseconds; prices in micro-USD for a minute, costs in micro-USD.
 * Threads: any; callers bring a transaction or a reading.
 */
enum {
	LEDGER_BOOT_ROOM = 40,
	LEDGER_SPACE_ROOM = 200,
	LEDGER_FLAVOR_ROOM = 64,
	LEDGER_SEEN_MS = 60 * 1000, /* how often ledger_see() is to be called */
};

/* A moment by both clocks, and the machine's boot that the monotonic one belongs to. */
struct ledger_moment {
	int64_t wall_ms;
	int64_t mono_ms;
	char boot[LEDGER_BOOT_ROOM];
};

/* The moment that an engine tells by the wall clock; 0: now. It is never in the future. */
struct ledger_moment ledger_moment(int64_t wall_ms);

/*
 * A span of an open run begins: its process was started, or woke. Whose it is, on which flavor and
 * at which price, is said by the run's row. While a span of the run is open nothing happens.
 */
must_check int ledger_begin(struct store_db *db, const char *run_key,
			    const struct ledger_moment *at, struct err *err);

/* The open span of a run ends: it has ended, or falls asleep. Without one nothing happens. */
must_check int ledger_end(struct store_db *db, const char *run_key, const struct ledger_moment *at,
			  struct err *err);

/* The Space has another name or owner: what it uses from now on counts for them. */
must_check int ledger_renew(struct store_db *db, int64_t repo_id, struct err *err);

/* Open spans go on: whoever calls it knows all runs that there are. */
must_check int ledger_see(struct store_db *db, const struct ledger_moment *at, struct err *err);

/* When the open span of a run was last known to go on: at its beginning, or at ledger_see(). */
must_check int ledger_last_seen(struct store_db *db, const char *run_key, struct ledger_moment *out,
				struct err *err);

/* Which spans; 0 leaves a field out. */
struct ledger_filter {
	int64_t repo_id;
	int64_t owner_id;
	const char *flavor; /* NULL: all */
	int64_t from_ms;    /* the part of a span that lies from here … */
	int64_t to_ms;      /* … to before here */
};

/* What one Space has used of one flavor at one price. */
struct ledger_use {
	char space[LEDGER_SPACE_ROOM]; /* by its newest name */
	char flavor[LEDGER_FLAVOR_ROOM];
	int64_t price;
	int64_t used_ms;
	int64_t cost; /* of used_ms, rounded once, half up */
};

/* By Space, flavor and price. What is open counts until `now`. */
must_check int ledger_each(struct store_db *db, const struct ledger_filter *filter,
			   const struct ledger_moment *now,
			   void (*each)(void *arg, const struct ledger_use *use), void *arg,
			   struct err *err);

/* How long that is together, until now. */
must_check int ledger_used_ms(struct store_db *db, const struct ledger_filter *filter, int64_t *out,
			      struct err *err);

/* Decimal texts of exact numbers: "3.250" seconds, "0.000542" US dollars. */
enum { LEDGER_TEXT_ROOM = 32 };
const char *ledger_seconds(int64_t ms, char out[static LEDGER_TEXT_ROOM]);
const char *ledger_usd(int64_t micro_usd, char out[static LEDGER_TEXT_ROOM]);
