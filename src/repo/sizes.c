#include "repo/sizes.h"

#include <stdint.h>
#include <string.h>

#include "base/lock.h"
#include "base/mem.h"

enum { SLOTS = 1 << 16 };

struct slot {
	git_oid id; /* all zero, which is the id of nothing: free */
	size_t size;
};

struct sizes {
	struct lock lock; /* guards the slots */
	struct slot slots[SLOTS];
};

struct sizes *sizes_new(void)
{
	struct sizes *sizes = mem_new(struct sizes);

	sizes->lock = (struct lock)LOCK_INIT;
	return sizes;
}

void sizes_free(struct sizes *sizes)
{
	if (!sizes)
		return;
	pthread_mutex_destroy(&sizes->lock.mutex);
	free(sizes);
}

/* An id is a hash: its first bytes are as good as any. */
static struct slot *slot_of(struct sizes *sizes, const git_oid *id)
{
	uint32_t bits;

	memcpy(&bits, id->id, sizeof(bits));
	return &sizes->slots[bits % SLOTS];
}

bool sizes_find(struct sizes *sizes, const git_oid *id, size_t *out)
{
	owned(unlock) struct lock *held = lock(&sizes->lock);
	const struct slot *slot = slot_of(sizes, id);

	if (!git_oid_equal(&slot->id, id) || git_oid_is_zero(id))
		return false;
	*out = slot->size;
	return true;
}

void sizes_keep(struct sizes *sizes, const git_oid *id, size_t size)
{
	owned(unlock) struct lock *held = lock(&sizes->lock);

	*slot_of(sizes, id) = (struct slot){.id = *id, .size = size};
}
