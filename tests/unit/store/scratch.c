#include "scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"

int scratch_setup(void **state)
{
	struct scratch *scratch = mem_new(struct scratch);
	struct err err = ERR_INIT;
	const char *base = getenv("TMPDIR");

	snprintf(scratch->dir, sizeof(scratch->dir), "%.40s/espace-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(scratch->dir));
	snprintf(scratch->path, sizeof(scratch->path), "%s/espace.db", scratch->dir);
	assert_ok(store_open(scratch->path, &scratch->store, &err));
	*state = scratch;
	return 0;
}

int scratch_teardown(void **state)
{
	struct scratch *scratch = *state;
	struct err err = ERR_INIT;

	store_close(scratch->store);
	assert_ok(file_remove_tree(AT_FDCWD, scratch->dir, &err));
	free(scratch);
	return 0;
}

struct scratch *scratch_of(void **state)
{
	return *state;
}

void scratch_write(struct store *store, const char *sql)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_tx_begin(store, &tx, &err));
	owned(store_query_end) struct store_query *q = store_query(store_tx_db(tx), sql);
	assert_ok(store_step(q, &err));
	assert_ok(store_tx_commit(take(tx), &err));
}

int64_t scratch_ask(struct store *store, const char *sql)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct err err = ERR_INIT;

	assert_ok(store_read_begin(store, &read, &err));
	owned(store_query_end) struct store_query *q = store_query(store_read_db(read), sql);
	assert_ok(store_step(q, &err));
	return store_int(q, 0);
}
