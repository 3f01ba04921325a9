#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * The body of a commit call, as it streams in: one JSON object per line, first the header, then the
 * operations in their order (Wire: B2). Each operation is told by a call of `struct ndjson_ops`.
 *
 * A file is told in pieces while its line arrives, so its path comes last: Python sends `content`
 * before `path` and `encoding`, JavaScript behind them, and both may be larger than memory should
 * be. Content whose encoding or kind of line is not known yet is held to NDJSON_HELD_MAX; beyond
 * that it is taken as the base64 that every client sends, and the line is refused if it turns out
 * to be anything else. Members may come in any order, but none twice.
 */
struct ndjson;

enum {
	NDJSON_HELD_MAX = 1 << 20,    /* content that waits for its encoding */
	NDJSON_FIELDS_MAX = 64 << 10, /* all of a line but its content */
	NDJSON_SUMMARY_MAX = 4 << 10,
	NDJSON_OPERATIONS_MAX = 100000,
};

struct ndjson_header {
	const char *summary; /* "" where there is none, as for the next */
	const char *description;
	const char *parent; /* `parentCommit`; NULL where none was stated */
};

/* Strings live during the call. Each returns -1 with *err to end the parse with that error. */
struct ndjson_ops {
	int (*header)(void *arg, const struct ndjson_header *header, struct err *err);
	/* A file: open, any number of pieces, close with its name; before that deleted_file, where
	 * the line says `oldPath`. What was opened and not closed when the parse fails must not
	 * count. */
	int (*file_open)(void *arg, struct err *err);
	int (*file_data)(void *arg, const void *bytes, size_t length, struct err *err);
	int (*file_close)(void *arg, const char *path, struct err *err);
	int (*deleted_file)(void *arg, const char *path, struct err *err);
	int (*deleted_folder)(void *arg, const char *path, struct err *err);
	/* `oid` is 64 hex digits; `size` is -1 where the client left it out. */
	int (*lfs_file)(void *arg, const char *path, const char *oid, int64_t size,
			struct err *err);
};

struct ndjson *ndjson_new(const struct ndjson_ops *ops, void *arg);
void ndjson_free(struct ndjson *ndjson);
DEFINE_OWNED(struct ndjson *, ndjson_free);

/* Take the next bytes, split anywhere. Errors: ERR_INVALID, ERR_TOO_LARGE with the line's number,
 * and those of the callbacks. After a failure nothing more may be fed. */
must_check int ndjson_feed(struct ndjson *ndjson, const void *bytes, size_t length,
			   struct err *err);

/* The body is complete. Errors: ERR_INVALID where it is cut short or holds no operation. */
must_check int ndjson_end(struct ndjson *ndjson, struct err *err);
