#pragma once

#include "repo/inner.h"

/*
 * New objects, kept apart from a repository's database until they are wanted and durable.
 *
 * They are written without fsync into a folder of their own. quarantine_publish() then fsyncs all
 * of them, which costs about one wait instead of one for each, and only then gives them their place
 * in the database by rename. So a crash can leave no damaged object under a name that a later
 * upload would take for present, and an abandoned upload leaves nothing.
 */
struct quarantine;

must_check int quarantine_new(struct git *git, struct quarantine **out, struct err *err);
/* Deletes what was not published. */
void quarantine_free(struct quarantine *quarantine);
DEFINE_OWNED(struct quarantine *, quarantine_free);

/* Reads the repository's objects and those in quarantine, writes into quarantine. Borrowed. */
git_odb *quarantine_odb(struct quarantine *quarantine);

/* The folder, for temporary files. Borrowed. */
int quarantine_fd(const struct quarantine *quarantine);

/*
 * The steps of publishing, for whoever has other things to make durable at the same time (land.h):
 * make the objects durable; rename them into the database; make that durable too. The first may be
 * done several times: it is the long part, before others must wait for it.
 */
must_check int quarantine_sync(struct quarantine *quarantine, struct err *err);
must_check int quarantine_move(struct quarantine *quarantine, struct err *err);
must_check int quarantine_settle(struct quarantine *quarantine, struct err *err);

/* Let everything into the database, durably. More may be written and published afterwards. */
must_check int quarantine_publish(struct quarantine *quarantine, struct err *err);
