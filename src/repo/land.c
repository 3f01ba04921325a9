#include "repo/land.h"

#include "repo/ref.h"

/* Until the objects and the new value are on the disk, each in its place of waiting. */
static int prepare(struct ref_held *held, struct quarantine *quarantine, struct syncs *syncs,
		   struct err *err)
{
	if (quarantine_add_objects(quarantine, syncs, err) < 0 ||
	    ref_add_value(held, syncs, err) < 0)
		return -1;
	return syncs_run(syncs, err);
}

int land_ref(const struct land *land, struct quarantine *quarantine, struct err *err)
{
	owned(ref_release) struct ref_held *held = NULL;
	owned(syncs_free) struct syncs *syncs = syncs_new();

	if (ref_hold(land->git, land->name, land->old, land->new, &held, err) < 0 ||
	    prepare(held, quarantine, syncs, err) < 0 || quarantine_move(quarantine, err) < 0)
		return -1;
	int moved = ref_switch(held, land->old, err);
	if (moved != 1)
		return moved;
	if (quarantine_add_folders(quarantine, syncs, err) < 0 ||
	    ref_add_folders(held, syncs, err) < 0 || syncs_run(syncs, err) < 0)
		return -1;
	return 1;
}
