#pragma once

/* A store with two users, and rows of repositories without files. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "repo/listing.h"
#include "repo/repo.h"
#include "store/store.h"

struct rows {
	char folder[32];
	struct store *store;
};

enum { ROWS_ADA = 1, ROWS_BOB = 2 };

static inline void rows_ok(int rc, const struct err *err)
{
	if (rc < 0)
		fail_msg("%s", err->text);
}

static inline void rows_run(struct rows *rows, const char *sql)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	owned(store_query_end) struct store_query *query = NULL;
	struct err err = ERR_INIT;

	rows_ok(store_tx_begin(rows->store, &tx, &err), &err);
	query = store_query(store_tx_db(tx), sql);
	rows_ok(store_step(query, &err), &err);
	rows_ok(store_tx_commit(take(tx), &err), &err);
}

static inline int rows_setup(void **state)
{
	struct rows *rows = mem_new(struct rows);
	owned(free) char *path = NULL;
	struct err err = ERR_INIT;

	memcpy(rows->folder, "/tmp/espace-rows-XXXXXX", 24);
	assert_non_null(mkdtemp(rows->folder));
	path = mem_format("%s/espace.db", rows->folder);
	rows_ok(store_open(path, &rows->store, &err), &err);
	rows_run(rows, "INSERT INTO accounts (id, hex, type, name, created_ms)"
		       " VALUES (1, 'a', 'user', 'Ada', 0), (2, 'b', 'user', 'bob', 0)");
	*state = rows;
	return 0;
}

static inline int rows_teardown(void **state)
{
	struct rows *rows = *state;
	struct err err = ERR_INIT;

	store_close(rows->store);
	rows_ok(file_remove_tree(AT_FDCWD, rows->folder, &err), &err);
	free(rows);
	return 0;
}

/* Add a row, with its listing if `tags` says so, made and changed at `at_ms`. Returns its id. */
static inline int64_t rows_add(struct rows *rows, const struct repo *wanted, const char *tags,
			       int64_t at_ms)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct listing listing = {.library = "",
				  .task = "",
				  .title = "",
				  .card = "{}",
				  .tags = (char *)tags,
				  .links = ""};
	struct repo repo = *wanted;
	owned(free) char *sql = NULL;
	struct err err = ERR_INIT;

	repo.creator_id = ROWS_ADA;
	snprintf(repo.owner, sizeof(repo.owner), repo.owner_id == ROWS_ADA ? "Ada" : "bob");
	rows_ok(store_tx_begin(rows->store, &tx, &err), &err);
	rows_ok(repo_add(store_tx_db(tx), &repo, &err), &err);
	if (tags)
		rows_ok(listing_put(store_tx_db(tx), repo.id, &listing, &err), &err);
	rows_ok(store_tx_commit(take(tx), &err), &err);
	sql = mem_format("UPDATE repos SET created_ms = %lld, modified_ms = %lld WHERE id = %lld",
			 (long long)at_ms, (long long)at_ms, (long long)repo.id);
	rows_run(rows, sql);
	return repo.id;
}
