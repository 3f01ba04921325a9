#pragma once

#include "base/syncs.h"
#include "repo/inner.h"

/*
 * Moving, making and deleting one reference, by its full name (refs/heads/main). git's own protocol
 * of lock files (REF.lock, made exclusively, then renamed), so that it may run beside git, but with
 * the fsyncs that libgit2 offers only for all of a process's writes. Names were checked by refs.h.
 */

/*
 * Wait for the turn to change this repository, among threads and processes of ours. The turn ends
 * when the descriptor is closed, also by a crash.
 */
must_check int ref_turn(struct git *git, int *out, struct err *err);

/*
 * Move a reference from `old` (NULL: it must not exist) to `new`, durably. The caller has the turn.
 * 1 moved, 0 it is not at `old`, -1 failed. Errors: ERR_EXISTS where a is wanted and a/b exists, or
 * the other way round; ERR_BUSY where git holds it for long.
 */
must_check int ref_move(struct git *git, const char *name, const git_oid *old, const git_oid *new,
			struct err *err);

/*
 * The steps of ref_move(), for whoever has other things to sync at the same time (land.h).
 * Between them the reference is locked; ref_release() undoes what was not switched.
 */
struct ref_held;

/* Lock it and write its new value. */
must_check int ref_hold(struct git *git, const char *name, const git_oid *old, const git_oid *new,
			struct ref_held **out, struct err *err);
void ref_release(struct ref_held *held);
DEFINE_OWNED(struct ref_held *, ref_release);
/* The new value must be synced, still beside the old one. */
must_check int ref_add_value(struct ref_held *held, struct syncs *syncs, struct err *err);
/* Put it in the place of the old one. 1 moved, 0 it is not at `old`, -1 failed. */
must_check int ref_switch(struct ref_held *held, const git_oid *old, struct err *err);
/* Its folder has changed, and perhaps those above. */
must_check int ref_add_folders(struct ref_held *held, struct syncs *syncs, struct err *err);

/* Delete a reference, durably. The caller has the turn. 1 deleted, 0 there is none, -1 failed.
 * Errors: ERR_BUSY. */
must_check int ref_delete(struct git *git, const char *name, struct err *err);
