#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * The store: SQLite (WAL, synchronous=FULL). What store_tx_commit() has acknowledged is on the
 * disk.
 *
 * Reading borrows one of several connections and sees one snapshot from the first statement to
 * store_read_end(). Writing is one transaction at a time, in the caller's thread: store_tx_begin()
 * waits for its turn, and transactions that queue up behind each other share one fsync (group
 * commit: each runs in a savepoint, the last of the group commits for all of them and wakes the
 * others).
 *
 * Nothing that can block for long (network, child processes, big files) belongs into a transaction.
 * A thread has at most one open. Inside of the group a transaction sees what those before it have
 * done; if their COMMIT fails, so does its own.
 *
 * Other processes (administration words) may open the same file: writers wait for each other up to
 * ten seconds, then ERR_BUSY.
 *
 * Threads: any. What is borrowed (a reading, a transaction, a query) stays in its thread.
 */
struct store;
struct store_db; /* a connection, for reading or inside of a transaction */
struct store_tx;
struct store_read;
struct store_query;

/*
 * Open or make the database (mode 0600) and bring its schema up to date (schema/NNNN_*.sql,
 * compiled in). Errors: ERR_INVALID for a database that a newer program has made.
 */
must_check int store_open(const char *path, struct store **out, struct err *err);
/*
 * Whose changes those are that name nobody in the audit (audit.h), borrowed: words of
 * administration sign with who calls them. Nobody: the hub itself. Before the first transaction.
 */
struct audit_who;
void store_sign(struct store *store, const struct audit_who *who);

/* Nothing may be borrowed any more. */
void store_close(struct store *store);
DEFINE_OWNED(struct store *, store_close);

must_check int store_read_begin(struct store *store, struct store_read **out, struct err *err);
void store_read_end(struct store_read *read);
DEFINE_OWNED(struct store_read *, store_read_end);
struct store_db *store_read_db(struct store_read *read);

must_check int store_tx_begin(struct store *store, struct store_tx **out, struct err *err);
struct store_db *store_tx_db(struct store_tx *tx);
/* Durable when it returns 0. Takes the transaction over in any case. */
must_check int store_tx_commit(struct store_tx *tx, struct err *err);
/* Roll back. Takes NULL. */
void store_tx_end(struct store_tx *tx);
DEFINE_OWNED(struct store_tx *, store_tx_end);

/* Threads that wait for their turn to write, now. */
unsigned store_waiting(struct store *store);

/*
 * A statement. Parameters are bound by position in the order of the calls: text(NULL) binds NULL.
 *
 *     owned(store_query_end) struct store_query *q = store_query(db, "SELECT id FROM users WHERE
 * name = ?"); store_bind_text(q, name); int row = store_step(q, err);   1: a row, 0: no more, -1:
 * failed
 *
 * Preparing and binding never fail by themselves; the first failure is told by store_step(). A
 * query runs once; the same SQL again is a new store_query(), which finds it prepared. The end of
 * the transaction or reading ends its queries too: store_query_end() then only gives back memory,
 * and nothing else may be done with them. Errors of store_step: ERR_EXISTS for a UNIQUE or PRIMARY
 * KEY conflict, ERR_FULL, ERR_DISK, ERR_BUSY, ERR_SYSTEM.
 */
struct store_query *store_query(struct store_db *db, const char *sql);
void store_query_end(struct store_query *query);
DEFINE_OWNED(struct store_query *, store_query_end);
void store_bind_text(struct store_query *query, const char *text);
void store_bind_int(struct store_query *query, int64_t value);
void store_bind_blob(struct store_query *query, const void *bytes, size_t length);

/*
 * A piece of SQL with its numbers that one room hands to another one's query, for a WHERE: the
 * query has `sql` in its text and binds the numbers at that place. The text is a constant.
 */
enum { STORE_CONDITION_MAX = 4 };
struct store_condition {
	const char *sql;
	unsigned count;
	int64_t values[STORE_CONDITION_MAX];
};
void store_bind_condition(struct store_query *query, const struct store_condition *condition);

must_check int store_step(struct store_query *query, struct err *err);
/* Columns of the current row, from 0. Text is NULL for NULL and lives until the next step. */
const char *store_text(struct store_query *query, int column);
int64_t store_int(struct store_query *query, int column);
const void *store_blob(struct store_query *query, int column, size_t *length);
/* Copy a text column into a buffer; NULL becomes "". Text that does not fit is our own mistake. */
void store_copy(struct store_query *query, int column, char *out, size_t room);

/* Rows changed and the last inserted row id, of the last finished statement. */
int64_t store_changes(struct store_db *db);
int64_t store_last_id(struct store_db *db);
