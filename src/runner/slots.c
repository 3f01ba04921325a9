#include "runner/slots.h"

#include "base/mem.h"

struct slots {
	unsigned last;
	bool held[DATADIR_SLOTS];
	int64_t free_from_ms[DATADIR_SLOTS]; /* 0: never used */
};

struct slots *slots_new(unsigned last)
{
	struct slots *slots = mem_new(struct slots);

	slots->last = last < SLOTS_FIRST || last > SLOTS_LAST ? SLOTS_LAST : last;
	return slots;
}

void slots_free(struct slots *slots)
{
	free(slots);
}

int slots_take(struct slots *slots, int64_t now_ms, unsigned *out, struct err *err)
{
	unsigned slot = slots->last;

	do {
		slot = slot == SLOTS_LAST ? SLOTS_FIRST : slot + 1;
		if (!slots->held[slot] && slots->free_from_ms[slot] <= now_ms) {
			slots->held[slot] = true;
			slots->last = slot;
			*out = slot;
			return 0;
		}
	} while (slot != slots->last);
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
