#pragma once

#include "repo/inner.h"

/*
 * A tree being edited: folders are read when a path leads into them, and only those that changed
 * are written again. Paths were checked by name_path_is_valid().
 */
struct edit;

/* From the tree `root`, or from nothing where NULL. Objects are read from and written to `odb`,
 * which must outlive the edit. */
must_check int edit_new(git_odb *odb, const git_oid *root, struct edit **out, struct err *err);
void edit_free(struct edit *edit);
DEFINE_OWNED(struct edit *, edit_free);

/*
 * Put a file. An executable file stays executable.
 * Errors: ERR_UNPROCESSED where the path is a folder, or leads through a file.
 */
must_check int edit_put(struct edit *edit, const char *path, const git_oid *blob, struct err *err);

/* Remove a file or folder, with folders that become empty by it. Errors: ERR_NO_ENTRY, also for a
 * file where it must be a folder. */
must_check int edit_remove(struct edit *edit, const char *path, bool must_be_folder,
			   struct err *err);

/* Write the changed trees; *out is the root's id. */
must_check int edit_write(struct edit *edit, git_oid *out, struct err *err);
