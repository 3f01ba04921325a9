#pragma once

#include "base/err.h"
#include "base/own.h"
#include "repo/git.h"

/*
 * Open repositories, put aside for the next call: opening one takes some thirty system calls, 250
 * µs, more than most calls need for all the rest. What is in a repository is looked up anew in any
 * case: libgit2 reads a branch from its file each time, looks for a new packed-refs and for new
 * packs, and keeps only objects, which never change.
 *
 * A repository that was removed is ERR_NO_REPO although it lies here; one that came in its place is
 * opened, not the old one. It also has the sizes of files (sizes.h), for all of its repositories.
 *
 * Threads: any; each handle belongs to one thread at a time.
 */
struct shelf;

struct shelf *shelf_new(void);
/* All handles must have been closed. */
void shelf_free(struct shelf *shelf);
DEFINE_OWNED(struct shelf *, shelf_free);

/* As git_open(); git_close() puts the handle back. */
must_check int shelf_open(struct shelf *shelf, const char *path, struct git **out, struct err *err);

/* For git_close(): take back a handle that shelf_open() has given. */
void shelf_return(struct git *git);
