#pragma once

#include "repo/inner.h"
#include "repo/quarantine.h"

/*
 * New objects and the reference that leads to them, made durable together: two waits for the disk
 * where one after the other takes four.
 *
 *     sync      the objects, still in quarantine, and the new value, still beside the old one
 *     rename    the objects into the database, then the value over the reference
 *     sync      the folders of both
 *
 * One journal for all renames (ext4, XFS) keeps their order: a crash before the second sync leaves
 * the old reference, or the new one with all of its objects. On other file systems the folders of
 * the objects are synced before the reference moves, one wait more. What is acknowledged has been
 * synced.
 */

/* A reference of a repository, and how it is to move. */
struct land {
	struct git *git;
	const char *name;
	const git_oid *old; /* NULL: it must not exist */
	const git_oid *new;
};

/* As quarantine_publish() and then ref_move(). The caller has the turn (ref.h). */
must_check int land_ref(const struct land *land, struct quarantine *quarantine, struct err *err);
