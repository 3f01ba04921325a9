#include "store/inspect.h"

#include <string.h>

#include "base/mem.h"
#include "store/connection.h"
#include "store/schema.h"

static int read_versions(struct store_db *db, struct inspect *out, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(db, "PRAGMA user_version");

	if (store_step(query, err) < 0)
		return -1;
	out->version = store_int(query, 0);
	out->known = 0;
	while (schema_steps[out->known])
		out->known++;
	return 0;
}

/* SQLite says "ok", or what is wrong, at most a hundred lines. */
static int check_pages(struct store_db *db, void (*found)(void *arg, const char *fault), void *arg,
		       struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "PRAGMA integrity_check(100)");
	int row;

	while ((row = store_step(query, err)) > 0)
		if (strcmp(store_text(query, 0), "ok") != 0)
			found(arg, store_text(query, 0));
	return row;
}

static int check_references(struct store_db *db, void (*found)(void *arg, const char *fault),
			    void *arg, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT \"table\", COALESCE(rowid, 0), parent"
				" FROM pragma_foreign_key_check LIMIT 100");
	int row;

	while ((row = store_step(query, err)) > 0) {
		owned(free) char *fault = mem_format(
			"row %lld of %s names a row of %s that is not there",
			(long long)store_int(query, 1), store_text(query, 0), store_text(query, 2));

		found(arg, fault);
	}
	return row;
}

int inspect_database(const char *path, void (*found)(void *arg, const char *fault), void *arg,
		     struct inspect *out, struct err *err)
{
	owned(connection_close) struct store_db *db = NULL;

	/* One snapshot, which ends with the connection. */
	if (connection_open(path, CONNECTION_READ, &db, err) < 0 ||
	    connection_exec(db, "BEGIN", err) < 0)
		return -1;
	if (read_versions(db, out, err) < 0 || check_pages(db, found, arg, err) < 0)
		return -1;
	return check_references(db, found, arg, err);
}
