#include "store/statement.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "store/connection.h"

struct store_query {
	struct store_db *db;     /* NULL once its transaction has ended */
	sqlite3_stmt *statement; /* borrowed; NULL if it does not compile */
	struct store_query *next;
	struct store_query **link; /* what points at this one in db->open */
	int bound;                 /* parameters so far */
	int code;                  /* first failure, told by store_step() */
	char *message;             /* SQLite's words for it */
	bool row;                  /* on a row */
	bool done;
};

static void note_failure(struct store_query *query, int code)
{
	if (code == SQLITE_OK || query->code != SQLITE_OK)
		return;
	query->code = code;
	query->message = mem_text(sqlite3_errmsg(query->db->sqlite));
}

struct store_query *store_query(struct store_db *db, const char *sql)
{
	struct store_query *query = mem_new(struct store_query);

	query->db = db;
	query->next = db->open;
	query->link = &db->open;
	if (query->next)
		query->next->link = &query->next;
	db->open = query;
	query->statement = connection_lend(db, sql);
	if (!query->statement)
		note_failure(query, sqlite3_extended_errcode(db->sqlite));
	return query;
}

/* Give the statement back and leave the list of the connection. */
static void detach(struct store_query *query)
{
	if (!query->db)
		return;
	if (query->statement)
		connection_return(query->db, query->statement);
	*query->link = query->next;
	if (query->next)
		query->next->link = query->link;
	query->statement = NULL;
	query->db = NULL;
	query->row = false;
}

void statement_end_all(struct store_db *db)
{
	while (db->open)
		detach(db->open);
}

void store_query_end(struct store_query *query)
{
	if (!query)
		return;
	detach(query);
	free(query->message);
	free(query);
}

void store_bind_text(struct store_query *query, const char *text)
{
	int position = ++query->bound;

	if (query->code == SQLITE_OK)
		note_failure(query, sqlite3_bind_text(query->statement, position, text, -1,
						      SQLITE_TRANSIENT));
}

void store_bind_int(struct store_query *query, int64_t value)
{
	int position = ++query->bound;

	if (query->code == SQLITE_OK)
		note_failure(query, sqlite3_bind_int64(query->statement, position, value));
}

void store_bind_blob(struct store_query *query, const void *bytes, size_t length)
{
	int position = ++query->bound;

	if (query->code == SQLITE_OK)
		note_failure(query,
			     sqlite3_bind_blob64(query->statement, position, length ? bytes : "",
						 length, SQLITE_TRANSIENT));
}

void store_bind_condition(struct store_query *query, const struct store_condition *condition)
{
	for (unsigned i = 0; i < condition->count; i++)
		store_bind_int(query, condition->values[i]);
}

int store_step(struct store_query *query, struct err *err)
{
	struct store_db *db = query->db;

	query->row = false;
	assert(db); /* its transaction has ended */
	if (query->code == SQLITE_OK && query->done)
		return 0;
	if (query->code == SQLITE_OK && !connection_in_transaction(db)) {
		*err = db->lost;
		return -1;
	}
	if (query->code == SQLITE_OK) {
		/* A parameter that nobody has bound would silently be NULL. */
		assert(query->bound == sqlite3_bind_parameter_count(query->statement));
		int code = sqlite3_step(query->statement);

		query->row = code == SQLITE_ROW;
		query->done = code == SQLITE_DONE;
		if (query->row || query->done)
			return query->row;
		note_failure(query, code);
	}
	return connection_fail(db, query->code, query->message, err);
}

const char *store_text(struct store_query *query, int column)
{
	assert(query->row);
	return (const char *)sqlite3_column_text(query->statement, column);
}

int64_t store_int(struct store_query *query, int column)
{
	assert(query->row);
	return sqlite3_column_int64(query->statement, column);
}

const void *store_blob(struct store_query *query, int column, size_t *length)
{
	assert(query->row);
	/* In this order: asking for the bytes may convert, asking for the length afterwards not. */
	const void *bytes = sqlite3_column_blob(query->statement, column);
	*length = (size_t)sqlite3_column_bytes(query->statement, column);
	return bytes;
}

void store_copy(struct store_query *query, int column, char *out, size_t room)
{
	const char *text = store_text(query, column);
	size_t length = text ? strlen(text) : 0;

	assert(length < room);
	if (length)
		memcpy(out, text, length);
	out[length] = '\0';
}

int64_t store_changes(struct store_db *db)
{
	return sqlite3_changes64(db->sqlite);
}

int64_t store_last_id(struct store_db *db)
{
	return sqlite3_last_insert_rowid(db->sqlite);
}
