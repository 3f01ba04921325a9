#include "store/connection.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

/*
 * How long a statement waits for another process. Only administration words share the file with the
 * hub, and their transactions last milliseconds; ten seconds mean that something is wrong.
 */
enum { BUSY_MS = 10000, WAL_PAUSE_NS = 10 * 1000 * 1000 };

/* Pages that a connection keeps. Small: there may be as many connections as threads. */
#define CACHE_PRAGMA "PRAGMA cache_size = -1024"

static uint64_t hash_text(const char *text)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a, 64 bits */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash;
}

bool connection_in_transaction(struct store_db *db)
{
	return !sqlite3_get_autocommit(db->sqlite);
}

static enum err_kind kind_of(struct store_db *db, int code)
{
	enum err_kind kind;

	switch (code) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return ERR_EXISTS;
	default:
		break;
	}
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_READONLY: /* or it is a reading that wants to write: a mistake of ours */
		return sqlite3_db_readonly(db->sqlite, "main") == 1 ? ERR_DISK : ERR_SYSTEM;
	case SQLITE_IOERR:
		/* SQLite's own clearing up may have overwritten the errno. */
		kind = err_kind_of(sqlite3_system_errno(db->sqlite));
		return kind == ERR_SYSTEM ? ERR_DISK : kind;
	case SQLITE_CANTOPEN:
		return err_kind_of(sqlite3_system_errno(db->sqlite));
	case SQLITE_NOMEM:
		abort(); /* base/mem.h */
	default:
		return ERR_SYSTEM;
	}
}

int connection_fail(struct store_db *db, int code, const char *text, struct err *err)
{
	err_set(err, kind_of(db, code), "store: %s", text);
	if (!connection_in_transaction(db) && db->lost.kind == ERR_NONE)
		db->lost = *err;
	return -1;
}

/* A slot of the set for a statement that isn't in the cache; NULL while all of them are lent. */
static struct connection_slot *free_slot(struct store_db *db, unsigned set)
{
	for (unsigned i = 0; i < CONNECTION_WAYS; i++)
		if (!db->cache[set][i].statement)
			return &db->cache[set][i];
	for (unsigned i = 0; i < CONNECTION_WAYS; i++) {
		unsigned way = db->victim[set]++ % CONNECTION_WAYS;
		struct connection_slot *slot = &db->cache[set][way];

		if (slot->lent)
			continue;
		sqlite3_finalize(slot->statement);
		slot->statement = NULL;
		return slot;
	}
	return NULL;
}

sqlite3_stmt *connection_lend(struct store_db *db, const char *sql)
{
	uint64_t hash = hash_text(sql);
	unsigned set = hash % CONNECTION_SETS;

	for (unsigned i = 0; i < CONNECTION_WAYS; i++) {
		struct connection_slot *slot = &db->cache[set][i];

		if (slot->statement && !slot->lent && slot->hash == hash &&
		    strcmp(sqlite3_sql(slot->statement), sql) == 0) {
			slot->lent = true;
			return slot->statement;
		}
	}

	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
	    SQLITE_OK)
		return NULL;
	assert(statement); /* NULL for SQL that is only a comment */
	struct connection_slot *slot = free_slot(db, set);
	if (slot)
		*slot = (struct connection_slot){statement, hash, true};
	return statement;
}

void connection_return(struct store_db *db, sqlite3_stmt *statement)
{
	unsigned set = hash_text(sqlite3_sql(statement)) % CONNECTION_SETS;

	sqlite3_reset(statement);          /* repeats the error of the last step, told already */
	sqlite3_clear_bindings(statement); /* they may hold what must not stay in memory */
	for (unsigned i = 0; i < CONNECTION_WAYS; i++) {
		if (db->cache[set][i].statement == statement) {
			db->cache[set][i].lent = false;
			return;
		}
	}
	sqlite3_finalize(statement); /* there was no slot for it */
}

int connection_exec(struct store_db *db, const char *sql, struct err *err)
{
	sqlite3_stmt *statement = connection_lend(db, sql);
	if (!statement)
		return connection_fail(db, sqlite3_extended_errcode(db->sqlite),
				       sqlite3_errmsg(db->sqlite), err);

	int code = sqlite3_step(statement);
	int result = 0;
	if (code != SQLITE_DONE && code != SQLITE_ROW)
		result = connection_fail(db, code, sqlite3_errmsg(db->sqlite), err);
	connection_return(db, statement);
	return result;
}

int connection_script(struct store_db *db, const char *sql, struct err *err)
{
	int code = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);

	if (code != SQLITE_OK)
		return connection_fail(db, code, sqlite3_errmsg(db->sqlite), err);
	return 0;
}

/*
 * Make the file with a mode of our choice; SQLite would take the umask. An existing file is not
 * even opened: closing it again would drop the POSIX locks that this process may hold on it.
 */
static int make_file(const char *path, struct err *err)
{
	owned(close) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0)
		return err_sys(err, "store: make the database");

	owned(free) char *parent = mem_text(path);
	char *slash = strrchr(parent, '/');
	if (slash == parent)
		slash[1] = '\0';
	else if (slash)
		*slash = '\0';
	return file_sync_dir(AT_FDCWD, slash ? parent : ".", err);
}

/* The pragma answers with the mode that is in force, whatever was asked for. */
static int turn_wal_on(struct store_db *db, struct err *err)
{
	sqlite3_stmt *statement = connection_lend(db, "PRAGMA journal_mode = WAL");
	int code = statement ? sqlite3_step(statement) : sqlite3_extended_errcode(db->sqlite);
	const char *mode =
		code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	int result = 0;

	if (code != SQLITE_ROW)
		result = connection_fail(db, code, sqlite3_errmsg(db->sqlite), err);
	else if (!mode || strcmp(mode, "wal") != 0)
		result = err_set(err, ERR_SYSTEM, "store: no write-ahead log on this file system");
	if (statement)
		connection_return(db, statement);
	return result;
}

/*
 * Processes that open a new database at once are in each other's way here, and SQLite does not use
 * its busy timeout for this pragma: whoever would wait could wait for the other.
 */
static int wait_for_wal(struct store_db *db, struct err *err)
{
	int64_t end_ms = clock_mono_ms() + BUSY_MS;

	while (turn_wal_on(db, err) < 0) {
		if (err->kind != ERR_BUSY || clock_mono_ms() >= end_ms)
			return -1;
		*err = ERR_INIT;
		nanosleep(&(struct timespec){.tv_nsec = WAL_PAUSE_NS}, NULL);
	}
	return 0;
}

static int set_up(struct store_db *db, enum connection_use use, struct err *err)
{
	static const char *const pragmas[] = {
		"PRAGMA synchronous = FULL", /* per connection, not kept in the file */
		"PRAGMA foreign_keys = ON",   "PRAGMA trusted_schema = OFF",
		"PRAGMA temp_store = MEMORY", CACHE_PRAGMA,
	};

	sqlite3_extended_result_codes(db->sqlite, 1);
	sqlite3_busy_timeout(db->sqlite, BUSY_MS);
	/* "text" in double quotes is a column or an error, never a string. */
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (use == CONNECTION_WRITE && wait_for_wal(db, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++)
		if (connection_exec(db, pragmas[i], err) < 0)
			return -1;
	return use == CONNECTION_READ ? connection_exec(db, "PRAGMA query_only = ON", err) : 0;
}

/* SQLite counts all its memory under one lock of the process; nobody asks for the sums. */
static void stop_counting(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int connection_open(const char *path, enum connection_use use, struct store_db **out,
		    struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	owned(connection_close) struct store_db *db = mem_new(struct store_db);

	pthread_once(&once, stop_counting);
	if (use == CONNECTION_WRITE && make_file(path, err) < 0)
		return -1;
	int code = sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
				   NULL);
	if (code != SQLITE_OK)
		return connection_fail(db, code, sqlite3_errmsg(db->sqlite), err);
	if (set_up(db, use, err) < 0)
		return -1;
	*out = take(db);
	return 0;
}

void connection_close(struct store_db *db)
{
	if (!db)
		return;
	assert(!db->open);
	for (unsigned set = 0; set < CONNECTION_SETS; set++)
		for (unsigned way = 0; way < CONNECTION_WAYS; way++)
			sqlite3_finalize(db->cache[set][way].statement);
	sqlite3_close(db->sqlite);
	free(db);
}
