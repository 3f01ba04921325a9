#include "space/runrow.h"

#include <string.h>

#include "base/clock.h"
#include "space/ledger.h"

#define COLUMNS                                                                                  \
	"id, key, kind, repo_id, generation, restart_nonce, \"commit\", flavor, env_layer, log," \
	" created_ms, started_ms, ready_ms, ended_ms, price, slept_ms"

static void bind_time(struct store_query *query, int64_t at_ms)
{
	store_bind_int(query, at_ms > 0 ? at_ms : clock_wall_ms());
}

static void read_row(struct store_query *query, struct runrow *out)
{
	*out = (struct runrow){
		.id = store_int(query, 0),
		.kind = strcmp(store_text(query, 2), "build") == 0 ? ENGINE_BUILD : ENGINE_APP,
		.repo_id = store_int(query, 3),
		.generation = store_int(query, 4),
		.restart_nonce = store_int(query, 5),
		.log = store_int(query, 9),
		.created_ms = store_int(query, 10),
		.started_ms = store_int(query, 11), /* NULL reads as 0 */
		.ready_ms = store_int(query, 12),
		.ended_ms = store_int(query, 13),
		.price = store_int(query, 14),
		.slept_ms = store_int(query, 15),
	};
	store_copy(query, 1, out->key, sizeof(out->key));
	store_copy(query, 6, out->commit, sizeof(out->commit));
	store_copy(query, 7, out->flavor, sizeof(out->flavor));
	store_copy(query, 8, out->env_layer, sizeof(out->env_layer));
}

int runrow_add(struct store_db *db, struct runrow *row, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "INSERT INTO runs (key, kind, repo_id, generation, restart_nonce, \"commit\","
		    " flavor, env_layer, log, created_ms, price)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

	if (row->created_ms == 0)
		row->created_ms = clock_wall_ms();
	store_bind_text(query, row->key);
	store_bind_text(query, row->kind == ENGINE_BUILD ? "build" : "app");
	store_bind_int(query, row->repo_id);
	store_bind_int(query, row->generation);
	store_bind_int(query, row->restart_nonce);
	store_bind_text(query, row->commit);
	store_bind_text(query, row->flavor);
	store_bind_text(query, row->env_layer);
	store_bind_int(query, row->log);
	store_bind_int(query, row->created_ms);
	store_bind_int(query, row->price);
	if (store_step(query, err) < 0)
		return err_in(err, "run %s", row->key);
	row->id = store_last_id(db);
	return 0;
}

int runrow_each_open(struct store_db *db, int64_t repo_id,
		     void (*each)(void *arg, const struct runrow *row), void *arg, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT " COLUMNS " FROM runs WHERE repo_id = ? AND kind = 'app'"
				" AND ended_ms IS NULL ORDER BY id");
	struct runrow row;
	int found;

	store_bind_int(query, repo_id);
	while ((found = store_step(query, err)) > 0) {
		read_row(query, &row);
		each(arg, &row);
	}
	return found;
}

int runrow_open(struct store_db *db, const char *key, struct runrow *out, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT " COLUMNS " FROM runs WHERE key = ? AND ended_ms IS NULL");
	int found;

	store_bind_text(query, key);
	found = store_step(query, err);
	if (found > 0)
		read_row(query, out);
	return found;
}

/* One change of an open run: SET column = time. 1 if it was open, 0 if not, -1 failed. */
static int mark(struct store_db *db, const char *sql, const struct runrow *row, int64_t at_ms,
		struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(db, sql);

	bind_time(query, at_ms);
	store_bind_int(query, row->id);
	if (store_step(query, err) < 0)
		return err_in(err, "run %s", row->key);
	return store_changes(db) > 0;
}

int runrow_started(struct store_db *db, const struct runrow *row, int64_t at_ms, struct err *err)
{
	struct ledger_moment at = ledger_moment(at_ms);
	int changed = mark(db,
			   "UPDATE runs SET started_ms = ? WHERE id = ? AND started_ms IS NULL"
			   " AND ended_ms IS NULL",
			   row, at.wall_ms, err);

	if (changed <= 0 || row->kind == ENGINE_BUILD) /* building costs nothing */
		return changed < 0 ? -1 : 0;
	return ledger_begin(db, row->key, &at, err);
}

int runrow_ready(struct store_db *db, const struct runrow *row, int64_t at_ms, struct err *err)
{
	return mark(db,
		    "UPDATE runs SET ready_ms = ? WHERE id = ? AND ready_ms IS NULL"
		    " AND ended_ms IS NULL",
		    row, at_ms, err) < 0
		       ? -1
		       : 0;
}

int runrow_slept(struct store_db *db, const struct runrow *row, struct err *err)
{
	struct ledger_moment now = ledger_moment(0);

	if (mark(db,
		 "UPDATE runs SET slept_ms = ? WHERE id = ? AND slept_ms IS NULL"
		 " AND ended_ms IS NULL",
		 row, now.wall_ms, err) < 0)
		return -1;
	return ledger_end(db, row->key, &now, err);
}

int runrow_woken(struct store_db *db, const struct runrow *row, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "UPDATE runs SET slept_ms = NULL WHERE id = ? AND ended_ms IS NULL");
	struct ledger_moment now = ledger_moment(0);

	store_bind_int(query, row->id);
	if (store_step(query, err) < 0)
		return err_in(err, "run %s", row->key);
	return ledger_begin(db, row->key, &now, err);
}

/* Nobody has reported the end: it is counted until it was last seen. */
static int lost_at(struct store_db *db, const struct runrow *row, struct ledger_moment *at,
		   struct err *err)
{
	return row->started_ms ? ledger_last_seen(db, row->key, at, err) : 0;
}

int runrow_ended(struct store_db *db, const struct runrow *row, int64_t at_ms, int exit_status,
		 const char *reason, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "UPDATE runs SET exit_status = ?, reason = ? WHERE id = ?"
				" AND ended_ms IS NULL");
	struct ledger_moment at = ledger_moment(at_ms);

	if (strcmp(reason, RUNROW_LOST) == 0 && lost_at(db, row, &at, err) < 0)
		return -1;
	store_bind_int(query, exit_status);
	store_bind_text(query, reason);
	store_bind_int(query, row->id);
	if (store_step(query, err) < 0)
		return err_in(err, "run %s", row->key);
	if (mark(db, "UPDATE runs SET ended_ms = ? WHERE id = ? AND ended_ms IS NULL", row,
		 at.wall_ms, err) < 0)
		return -1;
	return row->kind == ENGINE_BUILD ? 0 : ledger_end(db, row->key, &at, err);
}

int runrow_history(struct store_db *db, int64_t repo_id, int64_t generation, int64_t since_ms,
		   struct runrow_history *out, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "SELECT count(*), count(*) FILTER (WHERE ended_ms >= ?1 AND reason <> ?2"
		    " AND exit_status <> ?5 AND slept_ms IS NULL), max(ended_ms) FILTER"
		    " (WHERE reason <> ?2 AND exit_status <> ?5 AND slept_ms IS NULL)"
		    " FROM runs WHERE repo_id = ?3 AND generation = ?4 AND kind = 'app'");
	int row;

	store_bind_int(query, since_ms);
	store_bind_text(query, RUNROW_LOST);
	store_bind_int(query, repo_id);
	store_bind_int(query, generation);
	store_bind_int(query, ENGINE_DEFERRED);
	row = store_step(query, err);
	if (row < 0)
		return -1;
	*out = (struct runrow_history){
		.runs = store_int(query, 0),
		.crashes = store_int(query, 1),
		.last_crash_ms = store_int(query, 2),
	};
	return 0;
}
