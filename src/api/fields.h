#pragma once

#include <stdint.h>

#include "api/call.h"
#include "base/str.h"
#include "repo/listing.h"

/*
 * Fields: what an answer says about a repository, be it alone (info) or one of many (lists). One
 * table has them all; `expand` chooses among them, else each kind of answer has its own set.
 *
 * Answers are written as text: a page of a thousand entries is no tree of JSON objects.
 *
 * Wire: A6, A7.
 */
enum fields_set {
	FIELDS_INFO = 1 << 0,
	FIELDS_LIST = 1 << 1,   /* 0.23 demands private, likes, tags, downloads */
	FIELDS_FULL = 1 << 2,   /* `full` of lists */
	FIELDS_CARD = 1 << 3,   /* `cardData` of lists */
	FIELDS_SEARCH = 1 << 4, /* semantic-search */
	FIELDS_CONFIG = 1 << 5, /* `config` of lists */
};

/* A repository that is being told about. Zero it and fill `call` and `repo`. */
struct fields_entry {
	struct call *call;
	struct repo repo;
	struct listing listing; /* of the commit that is told about */
	struct space *space;    /* NULL: not loaded */
	struct git *git;        /* NULL: not opened */
	bool blobs;             /* sizes and ids of files too */
};

void fields_done(struct fields_entry *entry);
static inline void own_fields_done(struct fields_entry *held)
{
	fields_done(held);
}

/* The fields of these sets. */
uint64_t fields_in(enum repo_type type, unsigned sets);

/*
 * Which fields: those that `expand` names, exactly, else the sets' (an OR of enum fields_set).
 * Errors: ERR_INVALID with the sentence that clients know, ERR_TOO_LARGE.
 */
must_check int fields_choose(const struct call *call, enum repo_type type, unsigned sets,
			     uint64_t *out, struct err *err);

/* Some of them are in no row: a page of few entries has enough to do. */
bool fields_are_slow(uint64_t chosen);

/* Read the rows that the fields need: those of main. 1 done, 0 the repository is gone, -1 failed.
 */
must_check int fields_load(struct store_db *db, uint64_t chosen, struct fields_entry *entry,
			   struct err *err);
/* The same for an entry that has its listing already. */
must_check int fields_load_space(struct store_db *db, uint64_t chosen, struct fields_entry *entry,
				 struct err *err);

/* Append the object. Opens the repository only for what no row has. */
must_check int fields_write(struct fields_entry *entry, uint64_t chosen, struct str *out,
			    struct err *err);
