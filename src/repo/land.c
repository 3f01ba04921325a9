#include "repo/land.h"

#include "repo/ref.h"

int land_ref(const struct land *land, struct quarantine *quarantine, struct err *err)
{
	owned(ref_release) struct ref_held *held = NULL;

	if (ref_hold(land->git, land->name, land->old, land->new, &held, err) < 0 ||
	    quarantine_sync(quarantine, err) < 0 || ref_sync(held, err) < 0 ||
	    quarantine_move(quarantine, err) < 0)
		return -1;
	int moved = ref_switch(held, land->old, err);
	if (moved != 1)
		return moved;
	if (quarantine_settle(quarantine, err) < 0 || ref_settle(held, err) < 0)
		return -1;
	return 1;
}
