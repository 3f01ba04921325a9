#include "runner/slots.h"

#include "base/mem.h"

/* Where slots of one kind go round. */
struct ring {
	unsigned first;
	unsigned end;
	unsigned last; /* given */
};

struct slots {
	struct ring open;
	struct ring closed;
	bool held[DATADIR_SLOTS];
	int64_t free_from_ms[DATADIR_SLOTS]; /* 0: never used */
};

static struct ring ring_of(unsigned first, unsigned end, unsigned last)
{
	return (struct ring){first, end, last < first || last >= end ? end - 1 : last};
}

struct slots *slots_new(unsigned last)
{
	struct slots *slots = mem_new(struct slots);

	slots->open = ring_of(SLOTS_FIRST, SLOTS_CLOSED_FIRST, last);
	slots->closed = ring_of(SLOTS_CLOSED_FIRST, SLOTS_LAST + 1, last);
	return slots;
}

void slots_free(struct slots *slots)
{
	free(slots);
}

int slots_take(struct slots *slots, bool closed, int64_t now_ms, unsigned *out, struct err *err)
{
	struct ring *ring = closed ? &slots->closed : &slots->open;
	unsigned slot = ring->last;

	do {
		slot = slot + 1 == ring->end ? ring->first : slot + 1;
		if (!slots->held[slot] && slots->free_from_ms[slot] <= now_ms) {
			slots->held[slot] = true;
			ring->last = slot;
			*out = slot;
			return 0;
		}
	} while (slot != ring->last);
	return err_set(err, ERR_BUSY, "all addresses of this instance are in use");
}

void slots_hold(struct slots *slots, unsigned slot)
{
	if (slot >= SLOTS_FIRST && slot <= SLOTS_LAST)
		slots->held[slot] = true;
}

void slots_release(struct slots *slots, unsigned slot, int64_t now_ms)
{
	if (slot < SLOTS_FIRST || slot > SLOTS_LAST)
		return;
	slots->held[slot] = false;
	slots->free_from_ms[slot] = now_ms + SLOTS_REST_MS;
}
