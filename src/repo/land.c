#include "repo/land.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "repo/ref.h"

/* linux/magic.h lacks this one. */
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/*
 * Does a crash undo renames only from the newest on? One journal for all says so. Others may keep
 * what was fsynced last and lose what was renamed before it, as btrfs does with its log of single
 * files.
 */
static bool keeps_order(const char *path)
{
	struct statfs at;

	return statfs(path, &at) == 0 &&
	       (at.f_type == EXT4_SUPER_MAGIC || at.f_type == XFS_SUPER_MAGIC);
}

/* Until the objects and the new value are on the disk, each in its place of waiting. */
static int prepare(struct ref_held *held, struct quarantine *quarantine, struct syncs *syncs,
		   struct err *err)
{
	if (quarantine_add_objects(quarantine, syncs, err) < 0 ||
	    ref_add_value(held, syncs, err) < 0)
		return -1;
	return syncs_run(syncs, err);
}

/* Everything that was renamed, or what was renamed up to here. */
static int sync_folders(struct quarantine *quarantine, struct ref_held *held, struct syncs *syncs,
			struct err *err)
{
	if (quarantine && quarantine_add_folders(quarantine, syncs, err) < 0)
		return -1;
	if (held && ref_add_folders(held, syncs, err) < 0)
		return -1;
	return syncs_run(syncs, err);
}

int land_ref(const struct land *land, struct quarantine *quarantine, struct err *err)
{
	owned(ref_release) struct ref_held *held = NULL;
	owned(syncs_free) struct syncs *syncs = syncs_new();
	bool together = keeps_order(land->git->path);

	if (ref_hold(land->git, land->name, land->old, land->new, &held, err) < 0 ||
	    prepare(held, quarantine, syncs, err) < 0 || quarantine_move(quarantine, err) < 0)
		return -1;
	if (!together && sync_folders(quarantine, NULL, syncs, err) < 0)
		return -1;
	int moved = ref_switch(held, land->old, err);
	if (moved != 1)
		return moved;
	return sync_folders(together ? quarantine : NULL, held, syncs, err) < 0 ? -1 : 1;
}
