#pragma once

#include "base/syncs.h"
#include "repo/inner.h"

/*
 * New objects, kept apart from a repository's database until they are wanted and durable.
 *
 * Small ones are held in memory (pending.h), others are written without fsync into a folder of
 * their own. quarantine_publish() writes and fsyncs all of them, which costs about one wait instead
 * of one for each, and only then gives them their place in the database by rename. So a crash can
 * leave no damaged object under a name that a later upload would take for present, and an abandoned
 * upload leaves nothing.
 *
 * From quarantine_new() to quarantine_free() nothing is pruned from the repository (tidy.h): an
 * object that is there already is not written again, though nothing may lead to it yet.
 */
struct quarantine;

must_check int quarantine_new(struct git *git, struct quarantine **out, struct err *err);
/* Deletes what was not published. */
void quarantine_free(struct quarantine *quarantine);
DEFINE_OWNED(struct quarantine *, quarantine_free);

/* Reads the repository's objects and those in quarantine, writes into quarantine. Borrowed. */
git_odb *quarantine_odb(struct quarantine *quarantine);

/* A folder in which nameless temporary files may be made. Borrowed. */
int quarantine_fd(const struct quarantine *quarantine);

/* Make durable what is there by now: the long part of publishing, before others must wait for it.
 */
must_check int quarantine_sync(struct quarantine *quarantine, struct err *err);

/*
 * The steps of publishing, for whoever has other things to sync at the same time (land.h): say what
 * must be synced, move it into the database once that is done, say which folders have changed.
 */
must_check int quarantine_add_objects(struct quarantine *quarantine, struct syncs *syncs,
				      struct err *err);
must_check int quarantine_move(struct quarantine *quarantine, struct err *err);
must_check int quarantine_add_folders(struct quarantine *quarantine, struct syncs *syncs,
				      struct err *err);

/* Let everything into the database, durably. More may be written and published afterwards. */
must_check int quarantine_publish(struct quarantine *quarantine, struct err *err);
