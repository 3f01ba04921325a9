#include "space/keys.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

static bool is_name(const char *key)
{
	size_t length = strlen(key);

	if (length == 0 || length > KEYS_NAME_MAX || isdigit((unsigned char)*key))
		return false;
	for (; *key; key++)
		if (!isalnum((unsigned char)*key) && *key != '_')
			return false;
	return true;
}

int keys_check(const struct keys_entry *entry, struct err *err)
{
	if (!is_name(entry->key))
		return err_set(err, ERR_INVALID,
			       "key \"%.60s\" must be letters, digits and _, and not start with a "
			       "digit",
			       entry->key);
	if (strlen(entry->value) > VAULT_VALUE_MAX)
		return err_set(err, ERR_INVALID, "the value of %.60s is longer than %d KiB",
			       entry->key, VAULT_VALUE_MAX / 1024);
	if (entry->description && strlen(entry->description) > KEYS_DESCRIPTION_MAX)
		return err_set(err, ERR_INVALID, "the description of %.60s is too long",
			       entry->key);
	return 0;
}

int keys_from_json(const json_t *object, struct keys_entry *out, struct err *err)
{
	struct keys_entry entry = {0};

	if (!json_is_object(object))
		return err_set(err, ERR_INVALID, "a list of {key, value} is expected");
	if (json_need_text(object, "key", &entry.key, err) < 0 ||
	    json_need_text(object, "value", &entry.value, err) < 0 ||
	    json_get_text(object, "description", &entry.description, err) < 0 ||
	    keys_check(&entry, err) < 0)
		return -1;
	*out = entry;
	return 0;
}

/* The place of a sealed value: moving a row to another Space or name must not open it. */
static char *place_of(int64_t repo_id, const char *key)
{
	return mem_format("secret %lld %s", (long long)repo_id, key);
}

static int count_max(struct store_db *db, const char *sql, int64_t repo_id, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(db, sql);
	int row;

	store_bind_int(query, repo_id);
	row = store_step(query, err);
	if (row < 0)
		return -1;
	if (row > 0 && store_int(query, 0) > KEYS_COUNT_MAX)
		return err_set(err, ERR_TOO_LARGE, "a Space can have %d keys", KEYS_COUNT_MAX);
	return 0;
}

static void bind_rest(struct store_query *query, int64_t repo_id, const struct keys_entry *entry)
{
	store_bind_text(query, entry->description ? entry->description : "");
	store_bind_int(query, clock_wall_ms());
	store_bind_int(query, repo_id);
}

int keys_set_variable(struct store_db *db, int64_t repo_id, const struct keys_entry *entry,
		      struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "INSERT INTO variables (repo_id, key, value, description, updated_ms, seq)"
		    " VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(seq), 0) + 1 FROM variables"
		    " WHERE repo_id = ?)) ON CONFLICT (repo_id, key) DO UPDATE SET"
		    " value = excluded.value, description = excluded.description,"
		    " updated_ms = excluded.updated_ms");

	if (keys_check(entry, err) < 0)
		return -1;
	store_bind_int(query, repo_id);
	store_bind_text(query, entry->key);
	store_bind_text(query, entry->value);
	bind_rest(query, repo_id, entry);
	if (store_step(query, err) < 0)
		return -1;
	return count_max(db, "SELECT count(*) FROM variables WHERE repo_id = ?", repo_id, err);
}

int keys_set_secret(struct store_db *db, int64_t repo_id, const struct vault *vault,
		    const struct keys_entry *entry, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "INSERT INTO secrets (repo_id, key, sealed, description, updated_ms, seq)"
		    " VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(seq), 0) + 1 FROM secrets"
		    " WHERE repo_id = ?)) ON CONFLICT (repo_id, key) DO UPDATE SET"
		    " sealed = excluded.sealed, description = excluded.description,"
		    " updated_ms = excluded.updated_ms");
	owned(free) char *place = place_of(repo_id, entry->key);
	owned(free) void *sealed = NULL;
	size_t length;

	if (keys_check(entry, err) < 0)
		return -1;
	vault_seal(vault, place, entry->value, &sealed, &length);
	store_bind_int(query, repo_id);
	store_bind_text(query, entry->key);
	store_bind_blob(query, sealed, length);
	bind_rest(query, repo_id, entry);
	if (store_step(query, err) < 0)
		return -1;
	return count_max(db, "SELECT count(*) FROM secrets WHERE repo_id = ?", repo_id, err);
}

int keys_each_variable(struct store_db *db, int64_t repo_id,
		       void (*each)(void *arg, const char *key, const char *value), void *arg,
		       struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT key, value FROM variables WHERE repo_id = ? ORDER BY seq");
	int row;

	store_bind_int(query, repo_id);
	while ((row = store_step(query, err)) > 0)
		each(arg, store_text(query, 0), store_text(query, 1));
	return row;
}

int keys_each_secret(struct store_db *db, int64_t repo_id, const struct vault *vault,
		     void (*each)(void *arg, const char *key, const char *value), void *arg,
		     struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT key, sealed FROM secrets WHERE repo_id = ? ORDER BY seq");
	int row;

	store_bind_int(query, repo_id);
	while ((row = store_step(query, err)) > 0) {
		owned(secret_free) struct secret *value = NULL;
		owned(free) char *place = place_of(repo_id, store_text(query, 0));
		size_t length;
		const void *sealed = store_blob(query, 1, &length);

		if (vault_unseal(vault, place, sealed, length, &value, err) < 0)
			return err_in(err, "secret %s", store_text(query, 0));
		each(arg, store_text(query, 0), secret_bytes(value));
	}
	return row;
}
