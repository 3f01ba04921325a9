#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"

/*
 * Slots: which numbers of this instance are held by runs. They go round: the next one comes after
 * the one given last, so an address and a range of user ids rest for long before they are used
 * again, and for SLOTS_REST_MS at least (workers of the front may still hold the old route).
 *
 * The last quarter is for closed runs, those that may reach nothing outside: so their addresses are
 * one prefix, and rules that know no run hold for all of them, whoever was restarted when.
 *
 * Units: milliseconds of the monotonic clock.
 */
enum {
	SLOTS_FIRST = 2,
	SLOTS_CLOSED_FIRST = DATADIR_SLOTS / 4 * 3,
	SLOTS_LAST = DATADIR_SLOTS - 2,
	SLOTS_REST_MS = 10 * 1000,
};

struct slots;

/* The first slot given of its kind is the one after `last`; what a former process gave out is in no
 * list. */
struct slots *slots_new(unsigned last);
void slots_free(struct slots *slots);
DEFINE_OWNED(struct slots *, slots_free);

/* Errors: ERR_BUSY where all of the kind are held or rest. */
must_check int slots_take(struct slots *slots, bool closed, int64_t now_ms, unsigned *out,
			  struct err *err);
void slots_hold(struct slots *slots, unsigned slot); /* one that is in use already */
void slots_release(struct slots *slots, unsigned slot, int64_t now_ms);
