#include "repo/repo.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

static const struct {
	const char *name;
	const char *plural;
	const char *prefix;
} types[] = {
	[REPO_MODEL] = {"model", "models", ""},
	[REPO_DATASET] = {"dataset", "datasets", "datasets/"},
	[REPO_SPACE] = {"space", "spaces", "spaces/"},
};

enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

const char *repo_type_name(enum repo_type type)
{
	return types[type].name;
}

const char *repo_type_plural(enum repo_type type)
{
	return types[type].plural;
}

const char *repo_type_prefix(enum repo_type type)
{
	return types[type].prefix;
}

int repo_type_parse(const char *text, enum repo_type *out, struct err *err)
{
	for (int i = 0; i < TYPE_COUNT; i++) {
		if (!text || strcmp(text, types[i].name) == 0) {
			*out = (enum repo_type)i; /* NULL: the first, a model */
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "type must be model, dataset or space");
}

static void full_name(struct repo *repo)
{
	snprintf(repo->full_name, sizeof(repo->full_name), "%s/%s", repo->owner, repo->name);
}

#define SELECT "SELECT " REPO_COLUMNS " FROM repos r JOIN accounts a ON a.id = r.owner_id "

int repo_read(struct store_query *query, struct repo *out, struct err *err)
{
	struct repo repo = {0};

	repo.id = store_int(query, 0);
	store_copy(query, 1, repo.hex, sizeof(repo.hex));
	if (repo_type_parse(store_text(query, 2), &repo.type, err) < 0)
		return err_in(err, "row %lld of repos", (long long)repo.id);
	repo.owner_id = store_int(query, 3);
	store_copy(query, 4, repo.owner, sizeof(repo.owner));
	store_copy(query, 5, repo.name, sizeof(repo.name));
	repo.is_private = store_int(query, 6) != 0;
	repo.creator_id = store_int(query, 7);
	repo.created_ms = store_int(query, 8);
	repo.modified_ms = store_int(query, 9);
	store_copy(query, 10, repo.sdk, sizeof(repo.sdk));
	repo.is_protected = store_int(query, 11) != 0;
	store_copy(query, 12, repo.gated, sizeof(repo.gated));
	full_name(&repo);
	*out = repo;
	return 0;
}

/* Run a SELECT for one row. As repo_find(). */
static int find_row(struct store_query *query, struct repo *out, struct err *err)
{
	int row = store_step(query, err);

	if (row != 1)
		return row;
	return repo_read(query, out, err) < 0 ? -1 : 1;
}

/* A SELECT about a type, the name of an owner and the name of a repository. As repo_find(). */
static int find_named(struct store_db *db, const char *sql, enum repo_type type, const char *name,
		      struct repo *out, struct err *err)
{
	const char *slash = strchr(name, '/');
	char owner[NAME_ROOM];

	if (!slash || (size_t)(slash - name) >= sizeof(owner))
		return 0;
	snprintf(owner, sizeof(owner), "%.*s", (int)(slash - name), name);
	owned(store_query_end) struct store_query *query = store_query(db, sql);
	store_bind_text(query, repo_type_name(type));
	store_bind_text(query, owner);
	store_bind_text(query, slash + 1);
	return find_row(query, out, err);
}

int repo_find(struct store_db *db, enum repo_type type, const char *name, struct repo *out,
	      struct err *err)
{
	return find_named(db, SELECT "WHERE r.type = ? AND a.name = ? AND r.name = ?", type, name,
			  out, err);
}

int repo_find_moved(struct store_db *db, enum repo_type type, const char *name, struct repo *out,
		    struct err *err)
{
	return find_named(db,
			  SELECT "JOIN old_names o ON o.repo_id = r.id JOIN accounts old"
				 " ON old.id = o.owner_id"
				 " WHERE o.type = ? AND old.name = ? AND o.name = ?",
			  type, name, out, err);
}

int repo_by_id(struct store_db *db, int64_t id, struct repo *out, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(db, SELECT "WHERE r.id = ?");

	store_bind_int(query, id);
	return find_row(query, out, err);
}

int repo_count(struct store_db *db, int64_t owner_id, const struct store_condition *visible,
	       struct repo_counts *out, struct err *err)
{
	owned(free) char *sql = mem_format("SELECT r.type, count(*) FROM repos r WHERE "
					   "r.owner_id = ? AND %s GROUP BY r.type",
					   visible->sql);
	owned(store_query_end) struct store_query *query = store_query(db, sql);
	struct repo_counts counts = {0};
	int row;

	store_bind_int(query, owner_id);
	store_bind_condition(query, visible);
	while ((row = store_step(query, err)) > 0) {
		enum repo_type type;

		if (repo_type_parse(store_text(query, 0), &type, err) < 0)
			return -1;
		counts.of[type] = store_int(query, 1);
	}
	if (row < 0)
		return -1;
	*out = counts;
	return 0;
}

/* Run a statement that gives no row. */
static int run(struct store_query *query, struct err *err)
{
	return store_step(query, err) < 0 ? -1 : 0;
}

int repo_add(struct store_db *db, struct repo *repo, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "INSERT INTO repos (hex, type, owner_id, name, is_private, creator_id,"
		    " created_ms, modified_ms, sdk, is_protected)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

	random_id(repo->hex);
	repo->created_ms = repo->modified_ms = clock_wall_ms();
	full_name(repo);
	store_bind_text(query, repo->hex);
	store_bind_text(query, repo_type_name(repo->type));
	store_bind_int(query, repo->owner_id);
	store_bind_text(query, repo->name);
	store_bind_int(query, repo->is_private);
	store_bind_int(query, repo->creator_id);
	store_bind_int(query, repo->created_ms);
	store_bind_int(query, repo->modified_ms);
	store_bind_text(query, repo->sdk);
	store_bind_int(query, repo->is_protected);
	if (run(query, err) < 0) {
		if (err->kind != ERR_EXISTS)
			return err_in(err, "add %s", repo->full_name);
		return err_set(err, ERR_EXISTS, "the %s %s exists already",
			       repo_type_name(repo->type), repo->full_name);
	}
	repo->id = store_last_id(db);
	return 0;
}

int repo_move(struct store_db *db, struct repo *repo, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "UPDATE repos SET owner_id = ?, name = ? WHERE id = ?");

	full_name(repo);
	store_bind_int(query, repo->owner_id);
	store_bind_text(query, repo->name);
	store_bind_int(query, repo->id);
	if (run(query, err) == 0)
		return 0;
	if (err->kind != ERR_EXISTS)
		return err_in(err, "move to %s", repo->full_name);
	return err_set(err, ERR_EXISTS, "the %s %s exists already", repo_type_name(repo->type),
		       repo->full_name);
}

int repo_set_access(struct store_db *db, const struct repo *repo, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "UPDATE repos SET is_private = ?, is_protected = ?, gated = ? WHERE id = ?");

	store_bind_int(query, repo->is_private);
	store_bind_int(query, repo->is_protected);
	store_bind_text(query, repo->gated);
	store_bind_int(query, repo->id);
	return run(query, err);
}

int repo_remove(struct store_db *db, int64_t id, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "DELETE FROM repos WHERE id = ?");

	store_bind_int(query, id);
	return run(query, err);
}

int repo_touch(struct store_db *db, int64_t id, int64_t modified_ms, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "UPDATE repos SET modified_ms = ? WHERE id = ?");

	store_bind_int(query, modified_ms);
	store_bind_int(query, id);
	return run(query, err);
}
