#pragma once

/*
 * What a client may send: every limit of the calls, in one place. Passing one is an ordinary error,
 * ERR_TOO_LARGE where the text says nothing else.
 *
 * What is limited for all calls, or for whoever changes a model, has its number there:
 *
 *   address             16 KiB                     http/http.h HTTP_TARGET_MAX
 *   fields of a query   1000; of a form 20000      http/query.h
 *   headers             100; 16 KiB each           front/module/count.c, front/nginx.conf.in
 *   JSON                64 levels, 100000 values   base/json.h
 *   lines of a commit   64 levels                  base/jsonpush.h
 *   paths; names        1024 bytes in 64 levels; 96 bytes                base/name.h
 *   branches, tags      200 bytes                  repo/refs.h
 *   secrets, variables  256 of each of 63 KiB, all together 96 KiB       space/keys.h
 *   front matter        64 KiB, 16 levels          space/card.h
 *   volumes, scopes     64 of each                 space/volume.h, auth/scope.h
 *   connections         256 at once                http/server.c
 */

/* Bodies, in bytes. */
#define LIMITS_BODY_NONE   (64ULL << 10) /* calls without arguments; clients send {} at times */
#define LIMITS_BODY_SMALL  (1ULL << 20)  /* names, wishes, settings */
#define LIMITS_BODY_CREATE (16ULL << 20) /* with the initial files of the JS client (A2) */
#define LIMITS_BODY_LIST   (4ULL << 20)  /* preupload of 256 files with samples, paths-info */
#define LIMITS_BODY_CARD   (16ULL << 20) /* a README in JSON (B9), as space/card.h reads it */
#define LIMITS_BODY_COMMIT (2ULL << 30)  /* clients before 1.20 send a folder in one commit */
#define LIMITS_BODY_MOST   LIMITS_BODY_CREATE /* of all but commits; above it nginx reads nothing */

/*
 * The largest file that travels inside of a commit's line (B1). Above it files need a transfer of
 * their own; LIMITS_BODY_COMMIT has room for some in base64.
 */
#define LIMITS_REGULAR_FILE_MIB 64
#define LIMITS_REGULAR_FILE     ((int64_t)LIMITS_REGULAR_FILE_MIB << 20)

enum {
	LIMITS_PREUPLOAD_FILES = 1000,    /* py asks for 256 at once, js for 100 */
	LIMITS_INITIAL_FILES = 100,       /* `files` of create */
	LIMITS_PATHS = 1000,              /* paths-info; the real hub answers 413 above */
	LIMITS_COMMIT_OPERATIONS = 50000, /* lines of one commit; upload_folder stops at 1000 */
	LIMITS_TREE_PAGE = 1000,          /* entries of one page of a tree (B7) */
	LIMITS_EXPAND_PAGE = 100,         /* the same where each comes with its last commit */
	LIMITS_LAST_WORK = 20000000,      /* entries looked at for last commits; about a second */
	LIMITS_MEMBERS_PAGE = 500,        /* members of an organisation on one page (C4) */
	LIMITS_COMMITS_PAGE = 100,        /* entries of one page of a history (B8) */
	LIMITS_HISTORY = 100000,          /* commits that are counted; about 15 µs each */
	LIMITS_HISTORY_MEMORY = 16 << 20, /* bytes of counted histories that are remembered */
	LIMITS_REFS = 10000,              /* branches of a repository, and as many tags */
	LIMITS_LIST_NORMAL = 200,         /* entries of one page of a list (A7) … */
	LIMITS_LIST_PAGE = 500,           /* … and with `limit`, as js asks: some 8 ms */
	LIMITS_LIST_SLOW = 50,            /* … and where each repository is opened */
	LIMITS_LIST_BYTES = 4 << 20,      /* a page that is longer ends early */
	LIMITS_CONFIG = 1 << 20,          /* bytes of a model's config.json */
	LIMITS_AUDIT_NORMAL = 100,        /* rows of one page of the audit … */
	LIMITS_AUDIT_PAGE = 1000,         /* … and with `limit` */
	LIMITS_WATCHES = 1024,            /* streams of events and metrics at once … */
	LIMITS_WATCHES_EACH = 32,         /* … and of one user, or one address */
	LIMITS_SEARCH = 100,              /* Spaces that a search tells of */
	LIMITS_LIST_TERMS = 32,           /* values of `search`, `filter` and their like */
	LIMITS_LIST_TERM = 256,           /* bytes of each */
	LIMITS_EXPAND = 64,               /* `expand` values of one query */
	LIMITS_SIBLINGS = 100000,         /* files that an info lists; the rest is in the tree */
	LIMITS_ANSWER = 64 << 20,         /* bytes of an answer that is written as text */
	LIMITS_IGNORE_TEXT = 256 << 10,   /* bytes of a .gitignore */
	LIMITS_IGNORE_RULES = 2000,       /* rules of it */
	LIMITS_TITLE = 1024,              /* bytes of a commit's title */
	LIMITS_DESCRIPTION = 64 << 10,    /* bytes of its description */
	LIMITS_LICENSE = 64,              /* bytes of a license's identifier */
	LIMITS_KEPT = 8 << 20, /* bytes of answers in memory; a full tree page has 90 kB */
	LIMITS_MESSAGE = 400,  /* bytes of X-Error-Message, one line of ASCII */
};
