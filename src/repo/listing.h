#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "repo/git.h"
#include "repo/repo.h"
#include "store/store.h"

/*
 * What a list shows of a repository, as a row: so that no list opens one. space/digest.h makes it
 * of a commit; it is written in the transaction that tells of the commit.
 *
 * Wire: A6, A7.
 */
struct listing {
	char head[GIT_HEX]; /* the commit of main that it was read from; "" for none */
	char sdk[16];       /* Spaces: of the card if it states one; kept in the repository's row */
	char *library;      /* models: library_name and pipeline_tag of the card */
	char *task;
	char *title; /* Spaces: of the card */
	char *card;  /* front matter as JSON, an object */
	char *tags;  /* one a line */
	char *links; /* "model:NAME" and "dataset:NAME" that a Space uses, one a line */
};

void listing_done(struct listing *listing);
static inline void own_listing_done(struct listing *held)
{
	listing_done(held);
}

/* Replace the row of a repository, which exists. */
must_check int listing_put(struct store_db *db, int64_t repo_id, const struct listing *listing,
			   struct err *err);

/* Several repositories at once, as far as they exist and meet a condition over `repos r`. */
struct listing_pick {
	const int64_t *ids;
	size_t count;
	const struct store_condition *condition;
	/* For ids[index]; takes the listing over, which is empty where there is no row of it. */
	void (*each)(void *arg, size_t index, const struct repo *repo, struct listing *listing);
	void *arg;
};
must_check int listing_each(struct store_db *db, const struct listing_pick *pick, struct err *err);

/* 1 found, 0 none, -1 failed. */
must_check int listing_find(struct store_db *db, int64_t repo_id, struct listing *out,
			    struct err *err);
