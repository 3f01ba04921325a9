#pragma once

#include "base/str.h"
#include "repo/change.h"
#include "repo/inner.h"

/*
 * What commits and annotated tags say: who made them, and why. The words are made once, then
 * written into objects, or compared with those of others.
 */
struct words {
	struct str signature; /* "NAME <EMAIL>" */
	struct str message;   /* title, an empty line, description; ends in one line break */
};

#define WORDS_INIT ((struct words){.signature = str_new(0), .message = str_new(0)})

/* Errors: ERR_TOO_LARGE. */
must_check int words_make(const struct change_meta *meta, struct words *out, struct err *err);
void words_done(struct words *words);
static inline void own_words_done(struct words *held)
{
	words_done(held);
}

/* Write a commit of the tree, made now; `parent` NULL: the first of its history. */
must_check int words_commit(const struct words *words, git_odb *odb, const git_oid *tree,
			    const git_oid *parent, git_oid *out, struct err *err);

/* Write an annotated tag of a commit, made now. */
must_check int words_tag(const struct words *words, git_odb *odb, const char *name,
			 const git_oid *commit, git_oid *out, struct err *err);
