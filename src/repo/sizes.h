#pragma once

#include "repo/inner.h"

/*
 * How long files are, by the ids of their contents. git's trees do not say it, and asking the
 * object database costs an open file and an inflate for each entry of a folder: 10 µs. An id names
 * one content for ever, in whatever repository it is, so an answer from here is never old. It does
 * not tell whether a repository has the object.
 *
 * A table of a fixed size (2 MiB, taken as it is filled); newer entries overwrite older ones.
 *
 * Threads: any.
 */
struct sizes;

struct sizes *sizes_new(void);
void sizes_free(struct sizes *sizes);
DEFINE_OWNED(struct sizes *, sizes_free);

bool sizes_find(struct sizes *sizes, const git_oid *id, size_t *out);
void sizes_keep(struct sizes *sizes, const git_oid *id, size_t size);
