#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * Keeping a repository small, by git itself, while others read it and commit to it:
 *
 *   pack    many small loose objects become one pack, many packs become one. Large files stay
 *           loose: those are sent in pieces (content.h), packed ones would be held in memory.
 *   prune   what no branch or tag leads to and nobody has written for `keep_s` is removed. An
 *           upload holds a lock from its first object to its end (quarantine.h); only when nobody
 *           does, and while no reference can move, anything is removed. Else: next time. From
 *           what others borrow nothing is removed: they may have led to it first.
 *   refs    many branches become lines of packed-refs.
 *
 * Nothing is done to a repository that is small already. Safe to kill at any moment.
 */
struct tidy {
	const char *path; /* of the repository */
	int64_t keep_s;
	size_t loose_many; /* so many loose objects are packed */
	size_t packs_many; /* so many packs become one */
	/* 1 others borrow from it (lend.h), 0 nobody, -1 failed; NULL: nobody ever */
	int (*is_lent)(void *arg, struct err *err);
	void *arg;
};

/* Where work begins to pay: a thousand objects are 4 MB of blocks, and some weeks of pushes. */
enum { TIDY_LOOSE_MANY = 1000, TIDY_PACKS_MANY = 20 };

/* *freed: bytes that the repository is smaller by; never negative. Errors: as gitrun(). */
must_check int tidy_repo(const struct tidy *tidy, int64_t *freed, struct err *err);
