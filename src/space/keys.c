#include "space/keys.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

/* The statements of each kind; all begin with the Space, and then the key. */
static const struct kind {
	const char *name;
	const char *other; /* what another kind's key of the same name would be */
	const char *get;
	const char *put;
	const char *drop;
	const char *all;
	const char *clash;
} kinds[] = {
	[KEYS_VARIABLE] =
		{
			.name = "variable",
			.other = "secret",
			.get = "SELECT value, description FROM variables WHERE repo_id = ? AND key "
			       "= ?",
			.put = "INSERT INTO variables (repo_id, key, value, description, "
			       "updated_ms,"
			       " seq) VALUES (?1, ?2, ?3, ?4, ?5, (SELECT coalesce(max(seq), 0) + 1"
			       " FROM variables WHERE repo_id = ?1)) ON CONFLICT (repo_id, key)"
			       " DO UPDATE SET value = excluded.value, description ="
			       " excluded.description, updated_ms = excluded.updated_ms",
			.drop = "DELETE FROM variables WHERE repo_id = ? AND key = ?",
			.all = "SELECT key, value, description, updated_ms FROM variables"
			       " WHERE repo_id = ? ORDER BY seq",
			.clash = "SELECT 1 FROM secrets WHERE repo_id = ? AND key = ?",
		},
	[KEYS_SECRET] =
		{
			.name = "secret",
			.other = "variable",
			.get = "SELECT sealed, description FROM secrets WHERE repo_id = ? AND key "
			       "= ?",
			.put = "INSERT INTO secrets (repo_id, key, sealed, description, updated_ms,"
			       " seq) VALUES (?1, ?2, ?3, ?4, ?5, (SELECT coalesce(max(seq), 0) + 1"
			       " FROM secrets WHERE repo_id = ?1)) ON CONFLICT (repo_id, key)"
			       " DO UPDATE SET sealed = excluded.sealed, description ="
			       " excluded.description, updated_ms = excluded.updated_ms",
			.drop = "DELETE FROM secrets WHERE repo_id = ? AND key = ?",
			.all = "SELECT key, sealed, description, updated_ms FROM secrets"
			       " WHERE repo_id = ? ORDER BY seq",
			.clash = "SELECT 1 FROM variables WHERE repo_id = ? AND key = ?",
		},
};

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
			       "key \"%.60s\" must be at most %d letters, digits and _, and not "
			       "start with a digit",
			       entry->key, KEYS_NAME_MAX);
	if (strlen(entry->value) > KEYS_VALUE_MAX)
		return err_set(err, ERR_TOO_LARGE, "the value of %.60s is longer than %d KiB",
			       entry->key, KEYS_VALUE_MAX / 1024);
	if (entry->description && strlen(entry->description) > KEYS_DESCRIPTION_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "the description of %.60s is longer than %d bytes", entry->key,
			       KEYS_DESCRIPTION_MAX);
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

static struct store_query *about(const struct keys *keys, const char *sql, const char *key)
{
	struct store_query *query = store_query(keys->db, sql);

	store_bind_int(query, keys->repo_id);
	if (key)
		store_bind_text(query, key);
	return query;
}

/* The place of a sealed value: moving a row to another Space or name must not open it. */
static char *place_of(const struct keys *keys, const char *key)
{
	return mem_format("secret %lld %s", (long long)keys->repo_id, key);
}

static int unseal(const struct keys *keys, const char *key, struct store_query *query, int column,
		  struct secret **out, struct err *err)
{
	owned(free) char *place = place_of(keys, key);
	size_t length;
	const void *sealed = store_blob(query, column, &length);

	return vault_unseal(keys->vault, place, sealed, length, out, err);
}

/* Is the value of a row the wanted one? */
static bool is_value(const struct keys *keys, enum keys_kind kind, struct store_query *row,
		     const struct keys_entry *entry)
{
	owned(secret_free) struct secret *old = NULL;
	struct err err; /* what does not open is replaced */

	if (kind == KEYS_VARIABLE)
		return strcmp(store_text(row, 0), entry->value) == 0;
	return unseal(keys, entry->key, row, 0, &old, &err) == 0 &&
	       secret_equals(old, entry->value, strlen(entry->value));
}

/* What would change, as an enum keys_change; or -1. */
static int compare(const struct keys *keys, enum keys_kind kind, const struct keys_entry *entry,
		   struct err *err)
{
	owned(store_query_end) struct store_query *query = about(keys, kinds[kind].get, entry->key);
	const char *description = entry->description ? entry->description : "";
	int row = store_step(query, err);

	if (row <= 0)
		return row < 0 ? -1 : KEYS_CHANGED;
	if (!is_value(keys, kind, query, entry))
		return KEYS_CHANGED;
	return strcmp(store_text(query, 1), description) == 0 ? KEYS_SAME : KEYS_DESCRIBED;
}

/* An environment has one value for a name, so which would win? */
static int check_clash(const struct keys *keys, enum keys_kind kind, const char *key,
		       struct err *err)
{
	owned(store_query_end) struct store_query *query = about(keys, kinds[kind].clash, key);
	int row = store_step(query, err);

	if (row < 0)
		return -1;
	if (row > 0)
		return err_set(err, ERR_INVALID,
			       "%s is a %s of this Space already: delete it first, or choose "
			       "another name",
			       key, kinds[kind].other);
	return 0;
}

static int put(const struct keys *keys, enum keys_kind kind, const struct keys_entry *entry,
	       struct err *err)
{
	owned(store_query_end) struct store_query *query = about(keys, kinds[kind].put, entry->key);

	if (kind == KEYS_SECRET) {
		owned(free) char *place = place_of(keys, entry->key);
		owned(free) void *sealed = NULL;
		size_t length;

		vault_seal(keys->vault, place, entry->value, &sealed, &length);
		store_bind_blob(query, sealed, length);
	} else {
		store_bind_text(query, entry->value);
	}
	store_bind_text(query, entry->description ? entry->description : "");
	store_bind_int(query, clock_wall_ms());
	return store_step(query, err) < 0 ? -1 : 0;
}

static int check_sum(const struct keys *keys, const char *name, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		about(keys,
		      "SELECT max(variables, secrets), bytes FROM (SELECT"
		      " (SELECT count(*) FROM variables WHERE repo_id = ?1) AS variables,"
		      " (SELECT count(*) FROM secrets WHERE repo_id = ?1) AS secrets,"
		      " (SELECT coalesce(sum(length(key) + length(CAST(value AS BLOB))), 0)"
		      " FROM variables WHERE repo_id = ?1) +"
		      " (SELECT coalesce(sum(length(key) + length(sealed)), 0)"
		      " FROM secrets WHERE repo_id = ?1) AS bytes)",
		      NULL);

	if (store_step(query, err) < 0)
		return -1;
	if (store_int(query, 0) > KEYS_COUNT_MAX)
		return err_set(err, ERR_TOO_LARGE, "a Space can have %d %ss", KEYS_COUNT_MAX, name);
	if (store_int(query, 1) > KEYS_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "secrets and variables of a Space can have %d KiB together",
			       KEYS_BYTES_MAX / 1024);
	return 0;
}

int keys_set(const struct keys *keys, enum keys_kind kind, const struct keys_entry *entry,
	     struct err *err)
{
	int change;

	if (keys_check(entry, err) < 0)
		return -1;
	change = compare(keys, kind, entry, err);
	if (change <= KEYS_SAME)
		return change;
	if (check_clash(keys, kind, entry->key, err) < 0 || put(keys, kind, entry, err) < 0 ||
	    check_sum(keys, kinds[kind].name, err) < 0)
		return -1;
	return change;
}

int keys_delete(const struct keys *keys, enum keys_kind kind, const char *key, struct err *err)
{
	owned(store_query_end) struct store_query *query = about(keys, kinds[kind].drop, key);

	if (store_step(query, err) < 0)
		return -1;
	return store_changes(keys->db) > 0 ? KEYS_CHANGED : KEYS_SAME;
}

int keys_each(const struct keys *keys, enum keys_kind kind,
	      void (*each)(void *arg, const char *key, const char *value), void *arg,
	      struct err *err)
{
	owned(store_query_end) struct store_query *query = about(keys, kinds[kind].all, NULL);
	int row;

	while ((row = store_step(query, err)) > 0) {
		owned(secret_free) struct secret *value = NULL;
		const char *key = store_text(query, 0);

		if (kind == KEYS_VARIABLE)
			each(arg, key, store_text(query, 1));
		else if (unseal(keys, key, query, 1, &value, err) < 0)
			return err_in(err, "secret %s", key);
		else
			each(arg, key, secret_bytes(value));
	}
	return row;
}

int keys_json(const struct keys *keys, enum keys_kind kind, json_t **out, struct err *err)
{
	owned(store_query_end) struct store_query *query = about(keys, kinds[kind].all, NULL);
	owned(json_decref) json_t *all = json_object();
	char stamp[CLOCK_STAMP_MAX];
	int row;

	while ((row = store_step(query, err)) > 0) {
		json_t *entry = json_object();

		if (kind == KEYS_VARIABLE)
			json_object_set_new(entry, "value", json_string(store_text(query, 1)));
		if (*store_text(query, 2))
			json_object_set_new(entry, "description",
					    json_string(store_text(query, 2)));
		json_object_set_new(entry, "updatedAt",
				    json_string(clock_stamp(store_int(query, 3), stamp)));
		json_object_set_new(all, store_text(query, 0), entry);
	}
	if (row < 0)
		return -1;
	*out = take(all);
	return 0;
}
