#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "store/store.h"

/*
 * One connection of SQLite: how it is opened, what its errors mean, and its prepared statements.
 * Inside of store/ only; everybody else knows store.h.
 *
 * Threads: one at a time. SQLite's own mutexes are off (SQLITE_OPEN_NOMUTEX); the pool and the turn
 * (writer.h) hand a connection from thread to thread.
 */

/*
 * Prepared statements are kept in a set-associative cache: the hash of the SQL picks a set, in
 * which any slot may hold it. The hub has some two hundred statements and no thread uses all of
 * them.
 */
enum { CONNECTION_SETS = 32, CONNECTION_WAYS = 4 };

struct connection_slot {
	sqlite3_stmt *statement; /* NULL: free */
	uint64_t hash;
	bool lent;
};

struct store_db {
	sqlite3 *sqlite;
	const struct audit_who *signer; /* store_sign() */
	struct store_db *next;          /* in the list of those that nobody has borrowed */
	struct store_query *open; /* statements that their users have not ended, see statement.c */
	/*
	 * Why there is no transaction (any more). SQLite drops it by itself in the middle of a
	 * statement when the disk is full, for one; nothing may run then, since it would be outside
	 * of any transaction. Whoever begins one sets this back.
	 */
	struct err lost;
	struct connection_slot cache[CONNECTION_SETS][CONNECTION_WAYS];
	unsigned char victim[CONNECTION_SETS]; /* slot of the set that is evicted next */
};

enum connection_use { CONNECTION_READ, CONNECTION_WRITE };

/* A writing connection makes the file (mode 0600) where it is missing and turns WAL on. */
must_check int connection_open(const char *path, enum connection_use use, struct store_db **out,
			       struct err *err);
void connection_close(struct store_db *db);
DEFINE_OWNED(struct store_db *, connection_close);

/* Run one statement without parameters, such as "BEGIN"; it is kept prepared. */
must_check int connection_exec(struct store_db *db, const char *sql, struct err *err);

/* Run a text of several statements. */
must_check int connection_script(struct store_db *db, const char *sql, struct err *err);

/* Inside of a transaction? No longer, once SQLite has rolled it back by itself. */
bool connection_in_transaction(struct store_db *db);

/*
 * Borrow a statement, its parameters unbound; NULL if it doesn't compile, which sqlite3_errcode()
 * explains. The same SQL may be borrowed several times at once.
 */
sqlite3_stmt *connection_lend(struct store_db *db, const char *sql);
void connection_return(struct store_db *db, sqlite3_stmt *statement);

/*
 * Fill *err for an (extended) result code, and db->lost if the transaction is gone. Returns -1.
 * `text` is SQLite's message. ERR_EXISTS for a UNIQUE or PRIMARY KEY conflict, ERR_FULL, ERR_BUSY,
 * else ERR_SYSTEM.
 */
int connection_fail(struct store_db *db, int code, const char *text, struct err *err);
