#pragma once

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

/* Delete a reference, durably. The caller has the turn. 1 deleted, 0 there is none, -1 failed.
 * Errors: ERR_BUSY. */
must_check int ref_delete(struct git *git, const char *name, struct err *err);
