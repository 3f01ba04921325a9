#include "store/store.h"

#include <assert.h>

#include "base/lock.h"
#include "base/mem.h"
#include "store/connection.h"
#include "store/statement.h"
#include "store/writer.h"

/* Reading connections that are kept for the next reader; each has some 100 kB and two descriptors.
 */
enum { IDLE_MAX = 64 };

struct store {
	char *path;
	struct writer *writer;
	struct lock lock; /* guards what follows */
	struct store_db *idle;
	unsigned idle_count;
	unsigned lent;
};

struct store_read {
	struct store *store;
	struct store_db *db;
};

int store_open(const char *path, struct store **out, struct err *err)
{
	owned(writer_close) struct writer *writer = NULL;

	if (writer_open(path, &writer, err) < 0)
		return -1;
	struct store *store = mem_new(struct store);
	store->path = mem_text(path);
	store->writer = take(writer);
	store->lock = (struct lock)LOCK_INIT;
	*out = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	assert(store->lent == 0);
	while (store->idle) {
		struct store_db *db = store->idle;

		store->idle = db->next;
		connection_close(db);
	}
	writer_close(store->writer); /* the last connection: empties the log into the database */
	pthread_mutex_destroy(&store->lock.mutex);
	free(store->path);
	free(store);
}

void store_sign(struct store *store, const struct audit_who *who)
{
	writer_sign(store->writer, who);
}

/* A connection that lies ready, or NULL. Counts the loan in any case. */
static struct store_db *borrow(struct store *store)
{
	owned(unlock) struct lock *held = lock(&store->lock);
	struct store_db *db = store->idle;

	store->lent++;
	if (db) {
		store->idle = db->next;
		store->idle_count--;
	}
	return db;
}

/* Takes NULL, for a connection that could not be opened. */
static void give_back(struct store *store, struct store_db *db)
{
	{
		owned(unlock) struct lock *held = lock(&store->lock);

		store->lent--;
		if (db && store->idle_count < IDLE_MAX) {
			db->next = store->idle;
			store->idle = take(db);
			store->idle_count++;
		}
	}
	connection_close(db);
}

int store_read_begin(struct store *store, struct store_read **out, struct err *err)
{
	struct store_db *db = borrow(store);

	if ((!db && connection_open(store->path, CONNECTION_READ, &db, err) < 0) ||
	    connection_exec(db, "BEGIN", err) < 0) {
		give_back(store, db);
		return -1;
	}
	db->lost = ERR_INIT;
	struct store_read *read = mem_new(struct store_read);
	read->store = store;
	read->db = db;
	*out = read;
	return 0;
}

void store_read_end(struct store_read *read)
{
	struct err err =
		ERR_INIT; /* nothing was written: a connection that fails here is dropped */

	if (!read)
		return;
	statement_end_all(read->db);
	if (connection_in_transaction(read->db) && connection_exec(read->db, "ROLLBACK", &err) < 0)
		connection_close(take(read->db));
	give_back(read->store, read->db);
	free(read);
}

struct store_db *store_read_db(struct store_read *read)
{
	return read->db;
}

int store_tx_begin(struct store *store, struct store_tx **out, struct err *err)
{
	return writer_begin(store->writer, out, err);
}

unsigned store_waiting(struct store *store)
{
	return writer_waiting(store->writer);
}
