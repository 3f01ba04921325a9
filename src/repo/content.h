#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/own.h"
#include "repo/git.h"

/*
 * The bytes of a file, from any place on, piece by piece: what a download is sent from.
 *
 * Memory does not grow with a file that is stored as a loose object, and all are that come by the
 * API. libgit2 can't inflate an object of a pack in pieces: such a file is held whole meanwhile.
 *
 * Threads: as git.h; the handle must outlive the content.
 */
struct content;

/* At byte `first`, which may be the end. Errors: ERR_NO_ENTRY, ERR_SYSTEM. */
must_check int content_open(struct git *git, const char *oid, uint64_t first, struct content **out,
			    struct err *err);
void content_close(struct content *content);
DEFINE_OWNED(struct content *, content_close);

/* The next bytes: how many, 0 only at the end, -1 where the object is damaged. */
ssize_t content_read(struct content *content, void *room, size_t max);
