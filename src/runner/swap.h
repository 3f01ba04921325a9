#pragma once

#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"

/*
 * Swap space of this instance, for Spaces that are paged out (cgroup.h). Swap space is the whole
 * machine's, so there is some of ours only where the operator says so; and only what bears our name
 * is ever touched: the file DIR/swap, or a zram device with the label espace-ID.
 *
 * It outlives runner, hub and keeper as Spaces do, and goes with `stop`. What is there already
 * stays as it is until then, whatever the plan says now: what sleeps in it would have to come back.
 */
enum swap_kind {
	SWAP_NONE, /* pages go to what the machine has of its own, or nowhere */
	SWAP_ZRAM,
	SWAP_FILE,
};

struct swap_plan {
	enum swap_kind kind;
	uint64_t bytes; /* 0: half of the machine's memory in zram, all of it in a file */
};

/* "none", "zram", "zram:8G", "file:64G". Errors: ERR_INVALID, for who wrote the setting. */
must_check int swap_parse(const char *text, struct swap_plan *out, struct err *err);

/* Have it, unless it is there. Errors: ERR_FULL where the disk would be left with too little. */
must_check int swap_up(const struct datadir *dir, const struct swap_plan *plan, struct err *err);

/* Take it away, whoever made it; none is no error. Pages in it come back to memory first. */
must_check int swap_down(const struct datadir *dir, struct err *err);
