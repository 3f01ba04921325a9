#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

/*
 * What is inside of a repository: revisions, trees, files, by libgit2 over a bare repository.
 * Everything written is fsynced before the ref moves (design 1: nothing acknowledged is lost).
 * Threads: a handle belongs to one thread; different handles of one repository may work at once.
 */
enum { GIT_HEX = 41 };

struct git;

/* Make a bare repository with branch main and no commit. Errors: ERR_EXISTS. */
must_check int git_init(const char *path, struct err *err);
/* Errors: ERR_NO_REPO. */
must_check int git_open(const char *path, struct git **out, struct err *err);
void git_close(struct git *git);
DEFINE_OWNED(struct git *, git_close);

/*
 * Find the commit of a branch, tag, "HEAD", refs/pr/N, or an id, full or abbreviated to 5 digits or
 * more. An empty `rev` is main. Errors: ERR_NO_REVISION.
 */
must_check int git_resolve(struct git *git, const char *rev, char commit[static GIT_HEX],
			   struct err *err);

/*
 * The same for an address that was cut at its first slash, which may be one of the name: where
 * `rev` alone names nothing, the longest branch or tag that goes on in *path is found, and *path
 * moves behind it. An abbreviated id comes last. So who encodes the slashes of a name is always
 * understood, and who does not (Wire: 0.1, JavaScript) unless the first part is a name as well.
 */
must_check int git_resolve_begin(struct git *git, const char *rev, const char **path,
				 char commit[static GIT_HEX], struct err *err);

struct git_entry {
	char path[1025]; /* from the root */
	bool is_dir;
	char oid[GIT_HEX];
	uint64_t size; /* 0 for directories */
};

/* One file or folder of a commit. Errors: ERR_NO_ENTRY. */
must_check int git_entry(struct git *git, const char *commit, const char *path,
			 struct git_entry *out, struct err *err);

/*
 * Call `each` for the entries of a folder ("" is the root), with their whole paths, in git's order;
 * with what lies below them where `recursive`. `each` returns false to stop. Submodules are left
 * out. Errors: ERR_NO_ENTRY, also where the path is a file.
 */
must_check int git_walk(struct git *git, const char *commit, const char *path, bool recursive,
			bool (*each)(void *arg, const struct git_entry *entry), void *arg,
			struct err *err);

/* A file's bytes, held until git_blob_release(). */
struct git_blob;
must_check int git_blob_open(struct git *git, const char *oid, struct git_blob **out,
			     struct err *err);
void git_blob_release(struct git_blob *blob);
DEFINE_OWNED(struct git_blob *, git_blob_release);
const void *git_blob_bytes(const struct git_blob *blob, size_t *length);

/* Subject, author and time of a commit. */
struct git_commit_info {
	char oid[GIT_HEX];
	char parent[GIT_HEX]; /* first parent, "" for the first commit */
	char *title;
	char *message; /* the body below the title */
	char author[128];
	int64_t time_s;
};
must_check int git_commit_info(struct git *git, const char *commit, struct git_commit_info *out,
			       struct err *err);
void git_commit_info_done(struct git_commit_info *info);
static inline void own_git_commit_info_done(struct git_commit_info *held)
{
	git_commit_info_done(held);
}
