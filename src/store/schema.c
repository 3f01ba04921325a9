#include "store/schema.h"

#include <assert.h>
#include <stdio.h>

#include "base/hash.h"
#include "store/connection.h"

/* For a step that hashes; SQLite has none of its own. */
static void sha256(sqlite3_context *context, int count, sqlite3_value **values)
{
	char hex[HASH_HEX];

	assert(count == 1);
	const void *bytes = sqlite3_value_blob(values[0]);
	hash_hex(bytes ? bytes : "", (size_t)sqlite3_value_bytes(values[0]), hex);
	sqlite3_result_text(context, hex, HASH_HEX - 1, SQLITE_TRANSIENT);
}

static int add_functions(struct store_db *db, struct err *err)
{
	int code = sqlite3_create_function_v2(
		db->sqlite, "sha256", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
		NULL, sha256, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : connection_fail(db, code, sqlite3_errmsg(db->sqlite), err);
}

static int read_version(struct store_db *db, int64_t *out, struct err *err)
{
	sqlite3_stmt *statement = connection_lend(db, "PRAGMA user_version");
	int code = statement ? sqlite3_step(statement) : sqlite3_extended_errcode(db->sqlite);
	int result = 0;

	if (code == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	else
		result = connection_fail(db, code, sqlite3_errmsg(db->sqlite), err);
	if (statement)
		connection_return(db, statement);
	return result;
}

static int check_version(int64_t version, int64_t known, struct err *err)
{
	if (version < 0 || version > known)
		return err_set(err, ERR_INVALID,
			       "store: the database has schema %lld, this program knows %lld",
			       (long long)version, (long long)known);
	return 0;
}

/* One step inside of a transaction; the version is read again, now that nobody else can write. */
static int take_step(struct store_db *db, int64_t known, struct err *err)
{
	char pragma[64];
	int64_t version = 0;

	if (read_version(db, &version, err) < 0 || check_version(version, known, err) < 0)
		return -1;
	if (version == known)
		return 0;
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %lld", (long long)version + 1);
	if (connection_script(db, schema_steps[version], err) < 0 ||
	    connection_script(db, pragma, err) < 0)
		return err_in(err, "schema step %lld", (long long)version + 1);
	return 0;
}

static int take_step_alone(struct store_db *db, int64_t known, struct err *err)
{
	struct err ignored = ERR_INIT; /* of the ROLLBACK: what led to it is told */

	if (connection_exec(db, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	if (take_step(db, known, err) == 0 && connection_exec(db, "COMMIT", err) == 0)
		return 0;
	if (connection_in_transaction(db) && connection_exec(db, "ROLLBACK", &ignored) < 0)
		assert(!connection_in_transaction(db));
	return -1;
}

int schema_update(struct store_db *db, struct err *err)
{
	int64_t version = 0;
	int64_t known = 0;

	while (schema_steps[known])
		known++;
	if (read_version(db, &version, err) < 0 || check_version(version, known, err) < 0 ||
	    add_functions(db, err) < 0)
		return -1;
	for (; version < known; version++)
		if (take_step_alone(db, known, err) < 0)
			return -1;
	return 0;
}
