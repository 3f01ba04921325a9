#pragma once

#include <stdbool.h>

#include "base/own.h"

/*
 * Errors: a kind that a program can act on and a sentence for a person.
 *
 * A function that can fail returns 0, or -1 with *err filled; it takes `struct err *err` as its
 * last parameter, never NULL. The text is one line of lower-case English that names the thing; it
 * holds no secret and no path of the server. It lives in a fixed buffer on the caller's stack:
 * nothing to release. There is one kind for each answer that a client can tell apart; api/answer.c
 * maps kinds to status and X-Error-Code (Wire: 0.4).
 */
enum err_kind {
	ERR_NONE = 0,
	ERR_SYSTEM,      /* the machine failed us: errno, a library, a child process */
	ERR_INVALID,     /* the request is malformed: 400 */
	ERR_UNPROCESSED, /* well-formed, but not acceptable, such as a path "../x": 422 */
	ERR_TOO_LARGE,   /* over a limit of size or count: 413 */
	ERR_BAD_TOKEN,   /* a token was sent and is not valid: 401 */
	ERR_ANONYMOUS,   /* sign in first: 401 */
	ERR_DENIED,      /* known, but without the right: 403 */
	ERR_PAYMENT,     /* needs a grant that the caller lacks: 402 */
	ERR_NO_REPO,     /* no such repository, or not visible to the caller */
	ERR_NO_REVISION, /* no such branch, tag or commit */
	ERR_NO_ENTRY,    /* no such file in that revision */
	ERR_NO_ROUTE,    /* nothing is served at this address: 404 */
	ERR_NOT_FOUND,   /* any other named thing that is missing: 404 */
	ERR_MOVED,       /* it has another name now: 307, with its address */
	ERR_EXISTS,      /* the name is taken: 409 */
	ERR_STALE,       /* the branch has moved since: 412 */
	ERR_RANGE,       /* a byte range outside of the file: 416 */
	ERR_SPENT,       /* too many requests: 429 */
	ERR_BUSY,        /* try again later: 503 */
	ERR_FULL,        /* no room on the disk: 507 */
	ERR_DISK,        /* the disk fails, or may not be written: 503 */
	ERR_KIND_COUNT
};

enum { ERR_TEXT_MAX = 512 };

struct err {
	enum err_kind kind;
	char text[ERR_TEXT_MAX]; /* cut where it would not fit */
};

#define ERR_INIT ((struct err){.kind = ERR_NONE})

/* Fill *err. Returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *err, enum err_kind kind, const char *format, ...) like_printf(3, 4);

/* The same with the text of errno behind it, and the kind of err_kind_of(). */
int err_sys(struct err *err, const char *format, ...) like_printf(2, 3);

/*
 * What an errno means to whoever asked: ERR_FULL, ERR_DISK, ERR_BUSY where the machine has run out
 * of descriptors or memory for now, ERR_SYSTEM for all else.
 */
enum err_kind err_kind_of(int number);

/* May the same work be done later, without anybody asking for something else? */
bool err_may_pass(const struct err *err);

/* Put context in front of an error on its way up: "context: text". Keeps the kind. Returns -1. */
int err_in(struct err *err, const char *format, ...) like_printf(2, 3);

/*
 * clang's analyzer sees one file at a time and would follow these to a return of 0, where nobody
 * has written an out parameter.
 */
#ifdef __clang_analyzer__
static inline int err_minus_one(int result)
{
	(void)result;
	return -1;
}
#define err_set(...) err_minus_one(err_set(__VA_ARGS__))
#define err_sys(...) err_minus_one(err_sys(__VA_ARGS__))
#define err_in(...)  err_minus_one(err_in(__VA_ARGS__))
#endif

/* A short name such as "no-repo", for logs. */
const char *err_kind_name(enum err_kind kind);
