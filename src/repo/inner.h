#pragma once

#include <git2/blob.h>
#include <git2/commit.h>
#include <git2/config.h>
#include <git2/errors.h>
#include <git2/global.h>
#include <git2/object.h>
#include <git2/odb.h>
#include <git2/odb_backend.h>
#include <git2/refs.h>
#include <git2/repository.h>
#include <git2/sys/odb_backend.h>
#include <git2/tree.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/own.h"
#include "repo/git.h"

/*
 * What the files of this room share and nobody else sees: the handle, libgit2's types under
 * owned(), and its errors in our words. (Not <git2.h>: its index.h has a member that banned.h
 * refuses.)
 */
struct git {
	git_repository *repo;
	git_odb *odb;
	char *path;          /* of the bare repository, without a slash at the end */
	struct sizes *sizes; /* NULL, or known sizes of files */
	/* Of the shelf that it comes from, or NULL; see shelf.h. */
	struct shelf *shelf;
	struct git *next;
	int64_t returned_ms;
	dev_t dev; /* of the folder that was opened */
	ino_t ino;
};

/* Close for good, shelf or not. */
void inner_free(struct git *git);

/* Prepare libgit2 once per process. Called by everything that makes a `struct git`. */
must_check int inner_setup(struct err *err);

/* Fill *err from libgit2's last error, of the kind that its errno has. Returns -1. */
int inner_fail(struct err *err, const char *what);

/*
 * The full name of what commits may be added to: of a branch by its name, of HEAD, or of one that
 * is named in full, such as refs/pr/1. For free().
 */
char *inner_branch(const char *branch);

/* The commit that a branch is at. 1 found, 0 no such branch, -1 failed. */
must_check int inner_head(struct git *git, const char *branch, git_oid *out, struct err *err);

/* A commit by its id. Errors: ERR_NO_REVISION. */
must_check int inner_commit(struct git *git, const char *hex, git_commit **out, struct err *err);

DEFINE_OWNED(git_repository *, git_repository_free);
DEFINE_OWNED(git_reference *, git_reference_free);
DEFINE_OWNED(git_reference_iterator *, git_reference_iterator_free);
DEFINE_OWNED(git_object *, git_object_free);
DEFINE_OWNED(git_commit *, git_commit_free);
DEFINE_OWNED(git_tree *, git_tree_free);
DEFINE_OWNED(git_tree_entry *, git_tree_entry_free);
DEFINE_OWNED(git_odb *, git_odb_free);
DEFINE_OWNED(git_odb_object *, git_odb_object_free);
DEFINE_OWNED(git_odb_stream *, git_odb_stream_free);
