#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/name.h"
#include "base/own.h"
#include "base/str.h"
#include "store/store.h"

/*
 * Catalogue: what lists look through. One line in memory for each repository, and a look at all of
 * them for each question: a millisecond or so for a hundred thousand, whatever is asked for, where
 * indexes of the database would do well for some questions and badly for others.
 *
 * Each question first reads from the store what has changed since the last one (table `changes`),
 * so that it knows of every commit that was acknowledged, whichever process made it. What the rows
 * say in the end is for the reader of the rows: the catalogue gives ids.
 *
 * Units:   about 250 bytes for each repository.
 * Threads: any.
 * Wire:    A7.
 */
struct catalogue;

/* `store` is kept by reference. */
struct catalogue *catalogue_new(struct store *store);
void catalogue_free(struct catalogue *catalogue);
DEFINE_OWNED(struct catalogue *, catalogue_free);

/* Learn what is new. Every question does; the first time takes a while for many repositories. */
must_check int catalogue_learn(struct catalogue *catalogue, struct err *err);

/* Ties are broken by the id on the wire, so that no order tells of repositories in between. */
enum catalogue_order { CATALOGUE_MODIFIED, CATALOGUE_CREATED, CATALOGUE_NAME };

/*
 * Which private repositories may be found: of these owners and, if scoped, of these names ("ns" or
 * "ns/name") too.
 */
struct catalogue_sight {
	bool all_owners;
	const int64_t *owners;
	size_t owner_count;
	bool scoped;
	const char *const *names;
	size_t name_count;
};

/* A place in an order: behind the entry that has these. */
struct catalogue_mark {
	int64_t value;
	char text[FULL_NAME_ROOM];
};

struct catalogue_texts {
	const char *const *items;
	size_t count;
};

struct catalogue_query {
	unsigned types;   /* 1 << REPO_MODEL, … */
	int64_t owner_id; /* 0: any */
	struct catalogue_sight sight;
	struct catalogue_texts search; /* all of them in the name or the title, without case */
	bool search_tags;              /* or in a tag */
	struct catalogue_texts tags;   /* all of them */
	struct catalogue_texts links;  /* all of them, "model:NAME" or "dataset:NAME" */
	bool linked;                   /* some link */
	bool gated;                    /* only those that ask for requests for access, … */
	bool not_gated;                /* … or only the others */
	enum catalogue_order order;
	bool descending;
	const struct catalogue_mark *after; /* NULL: from the start */
	size_t limit;
};

struct catalogue_found {
	int64_t id;                 /* of the row */
	struct catalogue_mark mark; /* a page behind it starts here */
};

struct catalogue_page {
	struct catalogue_found *found;
	size_t count;
	bool more; /* there are others behind these */
};

void catalogue_page_done(struct catalogue_page *page);
static inline void own_catalogue_page_done(struct catalogue_page *held)
{
	catalogue_page_done(held);
}

must_check int catalogue_find(struct catalogue *catalogue, const struct catalogue_query *query,
			      struct catalogue_page *out, struct err *err);

/* Every tag of public repositories of one type (1 << REPO_MODEL, …), one a line, in no order. */
must_check int catalogue_tags(struct catalogue *catalogue, unsigned type, struct str *out,
			      struct err *err);
