#pragma once

#include <stdatomic.h>
#include <stdint.h>

/*
 * Layout of run/routes: the table that the hub writes and nginx's workers read, mapped by both.
 * This header includes nothing of ours, for the nginx module shares it; route/lookup.h has what is
 * done with it.
 *
 * One writer (the hub) for entries, guarded by a sequence: odd while it writes. Each worker owns
 * one row of counters in every entry; it claims the row's number in `workers` by its pid and start
 * time, zeroes its row then, and is the row's only writer. The reader sums the rows of living
 * workers.
 *
 * Order at sleep (design 9, binding): a worker does open++ and requests++ first and reads the state
 * after; the sleeper writes ROUTE_DRAIN first and sums the counters after. All of it is seq_cst, so
 * at least one of the two sees the other.
 *
 * Sides: an entry that gets another address moves on to its next side, and open visits are counted
 * by side. So the hub sees when nobody is left at an address before, by the same order: a worker
 * counts on the side that it saw, then reads again. There are as many sides as versions of a Space
 * that may run at once.
 *
 * Units: addresses in host byte order, activity in milliseconds of the monotonic clock.
 */
enum {
	ROUTE_MAGIC = 0x65735234, /* "esR4": layout version 4 */
	ROUTE_ENTRIES = 4096,     /* a power of two: open addressing by FNV-1a of the slug */
	ROUTE_PROBES = 128,       /* a slug lies this close to its place, or is not there */
	ROUTE_WORKERS = 64,
	ROUTE_SIDES = 8,
	ROUTE_SLUG_ROOM = 64, /* 63 bytes of a DNS label and NUL */
	ROUTE_SLUG_WORDS = 8, /* the same as 64-bit words */
	ROUTE_SPINS = 100,    /* a reader that meets an odd sequence so often asks the hub */
};

enum route_state {
	ROUTE_EMPTY = 0,   /* never used: a probe ends here */
	ROUTE_GONE = 1,    /* was used: a probe goes on */
	ROUTE_RUNNING = 2, /* straight to the address */
	ROUTE_DRAIN = 3,   /* about to sleep: ask */
	ROUTE_ASK = 4,     /* anything else: ask */
	/*
	 * A newer version is about to be served: what goes on with a session still goes to the old
	 * one, ask for all else. So the calls of a session that follow each other do not end up at
	 * two versions.
	 */
	ROUTE_HANDOVER = 5,
};

enum route_access { ROUTE_PUBLIC = 0, ROUTE_PRIVATE = 1 };

struct route_counters {
	_Atomic uint64_t requests;
	_Atomic uint32_t open[ROUTE_SIDES]; /* requests and connections now open, by side */
	_Atomic uint32_t sockets;           /* those of them that are WebSockets */
	_Atomic uint64_t bytes;             /* sent to visitors */
	/* last start or end of a request, or word over a WebSocket */
	_Atomic uint64_t activity_ms;
	/*
	 * Visits whose answer tells the client what to ask for next: those now open, counted
	 * before the state is read like all others, and when the last of them was answered.
	 */
	_Atomic uint32_t opening;
	_Atomic uint64_t opened_ms;
};

struct route_place {
	_Atomic uint32_t address;
	_Atomic uint32_t port;
};

struct route_entry {
	_Atomic uint32_t sequence;
	_Atomic uint32_t state;
	_Atomic uint32_t access;
	_Atomic uint32_t side;                  /* the one of now */
	struct route_place places[ROUTE_SIDES]; /* where each side's visits are */
	/* Lower case, padded with NUL; words, so that a reader may look while the hub writes. */
	_Atomic uint64_t slug[ROUTE_SLUG_WORDS];
};

struct route_worker {
	_Atomic uint64_t owner; /* 0 free; else route_worker_id() */
};

struct route_table {
	uint32_t magic;
	uint32_t entry_count;
	struct route_worker workers[ROUTE_WORKERS];
	struct route_entry entries[ROUTE_ENTRIES];
	struct route_counters counters[ROUTE_WORKERS][ROUTE_ENTRIES];
};

/* Who owns a row: a pid alone may come back, together with its start time it does not. */
static inline uint64_t route_worker_id(uint32_t pid, uint64_t start_time)
{
	return (uint64_t)pid << 32 | (start_time & 0xffffffffU);
}

static inline uint32_t route_worker_pid(uint64_t owner)
{
	return (uint32_t)(owner >> 32);
}
