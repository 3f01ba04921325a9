#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

/*
 * The program git on a repository of ours, for what libgit2 does not do: looking for damage,
 * packing. It runs with low priority, reads no settings but the repository's own, and has an end:
 * what takes longer than its limit is killed, and so is all when the calling thread dies.
 */
struct gitrun {
	const char *path; /* of the bare repository */
	const char *const
		*options; /* of git itself, before the command; NULL, or NULL-terminated */
	const char *const *command; /* NULL-terminated: {"fsck", "--full", NULL} */
	const char *input;          /* NULL: none */
	const int *held;            /* locks that git holds as well, to its own end; NULL: none */
	size_t held_count;
	int64_t limit_ms;
};

/*
 * stdout and stderr are appended to `output`. Errors: ERR_SYSTEM with git's last line where it
 * fails, ERR_BUSY after the limit, ERR_NOT_FOUND without the program.
 */
must_check int gitrun(const struct gitrun *run, struct str *output, struct err *err);
