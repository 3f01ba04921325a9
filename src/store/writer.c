#include "store/writer.h"

#include <assert.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "store/connection.h"
#include "store/statement.h"
#include "store/schema.h"

/*
 * Group commit.
 *
 * A COMMIT costs an fsync, a thousand times what the statements before it cost. So transactions
 * that come while others are at work share one:
 *
 *     BEGIN IMMEDIATE                                    the batch
 *       SAVEPOINT tx  ... RELEASE tx                     transaction of thread A
 *       SAVEPOINT tx  ... ROLLBACK TO tx, RELEASE tx     thread B gives up
 *       SAVEPOINT tx  ... RELEASE tx                     thread C
 *     COMMIT                                             by C, for A and itself
 *
 * Who writes has the turn; it goes round in the order of asking. A thread that is done passes the
 * turn on while the batch stays open, and sleeps until the batch is settled. The one behind whom
 * nobody waits, or who is the BATCH_TURNS-th, commits, tells everybody how it went and passes the
 * turn on. While it waits for the disk the next batch lines up: nobody ever waits for company.
 *
 * A transaction sees what those before it in the batch have done. Should the COMMIT fail they all
 * fail, so nothing that is built on lost rows is ever acknowledged. Statements, in contrast, fail
 * alone: SQLite undoes the one statement, its thread rolls back to the savepoint. The exception are
 * failures for which SQLite drops the whole transaction (a full disk, an I/O error); then the batch
 * is lost and all of it is told so (store_db.lost).
 */
enum { BATCH_TURNS = 64 };

struct store_tx {
	struct writer *writer;
	struct store_tx *next; /* in the line, later in the batch */
	pthread_cond_t woken;  /* by turn or settled */
	pthread_t thread;
	int64_t asked_ms;
	bool turn;
	bool settled;
	struct err result;
};

struct writer {
	/* Guards the line, and `turn`, `settled`, `result` of all transactions. */
	struct lock lock;
	bool busy; /* somebody has the turn: */
	pthread_t owner;
	struct store_tx *first;
	struct store_tx *last;
	unsigned waiting;

	/* For who has the turn. */
	struct store_db *db;
	struct store_tx *batch; /* released, not yet committed */
	unsigned turns;         /* in this batch */
	int64_t refused_ms;     /* when another process last kept us out for too long */
};

int writer_open(const char *path, struct writer **out, struct err *err)
{
	owned(connection_close) struct store_db *db = NULL;

	if (connection_open(path, CONNECTION_WRITE, &db, err) < 0 || schema_update(db, err) < 0)
		return -1;
	struct writer *writer = mem_new(struct writer);
	writer->lock = (struct lock)LOCK_INIT;
	writer->db = take(db);
	*out = writer;
	return 0;
}

void writer_close(struct writer *writer)
{
	if (!writer)
		return;
	assert(!writer->busy && !writer->first);
	connection_close(writer->db);
	pthread_mutex_destroy(&writer->lock.mutex);
	free(writer);
}

void writer_sign(struct writer *writer, const struct audit_who *who)
{
	writer->db->signer = who;
}

unsigned writer_waiting(struct writer *writer)
{
	owned(unlock) struct lock *held = lock(&writer->lock);

	return writer->waiting;
}

static void tx_free(struct store_tx *tx)
{
	pthread_cond_destroy(&tx->woken);
	free(tx);
}

static void take_turn(struct writer *writer, struct store_tx *tx)
{
	owned(unlock) struct lock *held = lock(&writer->lock);

	if (!writer->busy) {
		writer->busy = true;
		writer->owner = tx->thread;
		return;
	}
	assert(!pthread_equal(writer->owner, tx->thread)); /* it would wait for itself */
	if (writer->last)
		writer->last->next = tx;
	else
		writer->first = tx;
	writer->last = tx;
	writer->waiting++;
	while (!tx->turn)
		pthread_cond_wait(&tx->woken, &writer->lock.mutex);
}

/* Under the lock. */
static void pass_turn(struct writer *writer)
{
	struct store_tx *tx = writer->first;

	if (!tx) {
		writer->busy = false;
		return;
	}
	writer->first = tx->next;
	if (!writer->first)
		writer->last = NULL;
	tx->next = NULL;
	writer->waiting--;
	writer->owner = tx->thread; /* before it runs: the old owner may ask again at once */
	tx->turn = true;
	pthread_cond_signal(&tx->woken);
}

/* Put an end to the batch on the connection. ERR_NONE: all of it is on the disk. */
static struct err close_batch(struct writer *writer)
{
	struct err result = ERR_INIT;
	struct err ignored = ERR_INIT; /* of a ROLLBACK, which ends the transaction in any case */

	if (!connection_in_transaction(writer->db))
		return writer->db->lost;
	if (writer->batch && connection_exec(writer->db, "COMMIT", &result) < 0)
		assert(result.kind != ERR_NONE);
	if (connection_in_transaction(writer->db) &&
	    connection_exec(writer->db, "ROLLBACK", &ignored) < 0)
		assert(!connection_in_transaction(writer->db));
	return result;
}

/* Under the lock: the transactions of the batch learn how it went. */
static void tell_batch(struct writer *writer, const struct err *result)
{
	struct store_tx *tx = writer->batch;

	writer->batch = NULL;
	while (tx) {
		struct store_tx *next = tx->next;

		tx->result = *result;
		tx->settled = true;
		pthread_cond_signal(&tx->woken);
		tx = next; /* the woken one may free itself once the lock is free */
	}
}

/* Pass the open batch on with the turn, if somebody waits and it may still grow. */
static bool pass_batch(struct writer *writer)
{
	if (++writer->turns >= BATCH_TURNS || !connection_in_transaction(writer->db))
		return false;
	owned(unlock) struct lock *held = lock(&writer->lock);
	if (!writer->first)
		return false;
	pass_turn(writer);
	return true;
}

/* This thread has finished with its turn. */
static void leave(struct writer *writer)
{
	if (pass_batch(writer))
		return;
	struct err result = close_batch(writer);
	writer->turns = 0;
	owned(unlock) struct lock *held = lock(&writer->lock);
	tell_batch(writer, &result);
	pass_turn(writer);
}

/* Those in line have waited together: they don't wait for another process one after the other. */
static int open_batch(struct writer *writer, const struct store_tx *tx, struct err *err)
{
	struct store_db *db = writer->db;

	if (writer->refused_ms && tx->asked_ms <= writer->refused_ms)
		return err_set(err, ERR_BUSY, "store: another process is writing");
	db->lost = ERR_INIT;
	if (connection_exec(db, "BEGIN IMMEDIATE", err) == 0)
		return 0;
	if (err->kind == ERR_BUSY)
		writer->refused_ms = clock_mono_ms();
	return -1;
}

static int open_savepoint(struct writer *writer, const struct store_tx *tx, struct err *err)
{
	struct store_db *db = writer->db;

	if (!connection_in_transaction(db) && open_batch(writer, tx, err) < 0)
		return -1;
	return connection_exec(db, "SAVEPOINT tx", err);
}

int writer_begin(struct writer *writer, struct store_tx **out, struct err *err)
{
	struct store_tx *tx = mem_new(struct store_tx);

	tx->writer = writer;
	tx->thread = pthread_self();
	tx->asked_ms = clock_mono_ms();
	pthread_cond_init(&tx->woken, NULL);
	take_turn(writer, tx);
	if (open_savepoint(writer, tx, err) < 0) {
		leave(writer);
		tx_free(tx);
		return -1;
	}
	*out = tx;
	return 0;
}

struct store_db *store_tx_db(struct store_tx *tx)
{
	return tx->writer->db;
}

/* Undo this transaction alone. Where even that fails the batch goes with it. */
static void undo(struct store_db *db)
{
	struct err err = ERR_INIT;
	struct err ignored = ERR_INIT; /* ROLLBACK ends the transaction in any case */

	if (!connection_in_transaction(db))
		return;
	if (connection_exec(db, "ROLLBACK TO tx", &err) == 0 &&
	    connection_exec(db, "RELEASE tx", &err) == 0)
		return;
	db->lost = err;
	if (connection_in_transaction(db) && connection_exec(db, "ROLLBACK", &ignored) < 0)
		assert(!connection_in_transaction(db));
}

void store_tx_end(struct store_tx *tx)
{
	if (!tx)
		return;
	statement_end_all(tx->writer->db);
	undo(tx->writer->db);
	leave(tx->writer);
	tx_free(tx);
}

static int release(struct store_db *db, struct err *err)
{
	if (!connection_in_transaction(db)) {
		*err = db->lost;
		return -1;
	}
	return connection_exec(db, "RELEASE tx", err);
}

int store_tx_commit(struct store_tx *tx, struct err *err)
{
	struct writer *writer = tx->writer;
	int result = 0;

	statement_end_all(writer->db);
	if (release(writer->db, err) < 0) {
		store_tx_end(tx);
		return -1;
	}
	tx->next = writer->batch;
	writer->batch = tx;
	leave(writer);

	{
		owned(unlock) struct lock *held = lock(&writer->lock);

		while (!tx->settled)
			pthread_cond_wait(&tx->woken, &writer->lock.mutex);
	}
	if (tx->result.kind != ERR_NONE) {
		*err = tx->result;
		result = -1;
	}
	tx_free(tx);
	return result;
}
