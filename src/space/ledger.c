#include "space/ledger.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#define BOOT_FILE "/proc/sys/kernel/random/boot_id"

enum { MINUTE_MS = 60 * 1000 };

/* "" where the kernel does not tell: then it is another boot than any, and the wall clock counts.
 */
static void read_boot(char out[static LEDGER_BOOT_ROOM])
{
	owned(str_done) struct str text = str_new(LEDGER_BOOT_ROOM);
	struct err err = ERR_INIT;

	if (file_read(AT_FDCWD, BOOT_FILE, &text, &err) < 0)
		log_warn("ledger.boot", "error=%s", err.text);
	snprintf(out, LEDGER_BOOT_ROOM, "%.*s", (int)strcspn(text.data, "\n"), text.data);
}

struct ledger_moment ledger_moment(int64_t wall_ms)
{
	int64_t now_ms = clock_wall_ms();
	struct ledger_moment moment = {.wall_ms = now_ms, .mono_ms = clock_mono_ms()};

	read_boot(moment.boot);
	if (wall_ms <= 0 || wall_ms > now_ms)
		return moment;
	moment.wall_ms = wall_ms;
	moment.mono_ms -= now_ms - wall_ms;
	return moment;
}

int ledger_begin(struct store_db *db, const char *run_key, const struct ledger_moment *at,
		 struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "INSERT INTO ledger (repo_id, run_key, run_id, owner_id, space, flavor, price,"
		    " from_ms, from_mono, boot)"
		    " SELECT r.repo_id, r.key, r.id, ifnull(repos.owner_id, 0), s.full_name,"
		    " r.flavor, r.price, ?, ?, ? FROM runs r JOIN spaces s USING (repo_id)"
		    " LEFT JOIN repos ON repos.id = r.repo_id"
		    " WHERE r.key = ? AND r.ended_ms IS NULL AND r.kind = 'app' AND NOT EXISTS"
		    " (SELECT 1 FROM ledger l WHERE l.run_key = r.key AND l.to_ms IS NULL)");

	store_bind_int(query, at->wall_ms);
	store_bind_int(query, at->mono_ms);
	store_bind_text(query, at->boot);
	store_bind_text(query, run_key);
	return store_step(query, err) < 0 ? err_in(err, "ledger of %s", run_key) : 0;
}

/* How long a span that ends at ?2 (wall), ?3 (monotonic) of the boot ?4 was. */
#define LENGTH                                                            \
	"CASE WHEN boot = ?4 AND boot <> '' THEN max(0, ?3 - from_mono) " \
	"ELSE max(0, ?2 - from_ms) END"

int ledger_end(struct store_db *db, const char *run_key, const struct ledger_moment *at,
	       struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "UPDATE ledger SET to_ms = ?2, to_mono = ?3, to_boot = ?4, used_ms = " LENGTH
		    " WHERE run_key = ?1 AND to_ms IS NULL");

	store_bind_text(query, run_key);
	store_bind_int(query, at->wall_ms);
	store_bind_int(query, at->mono_ms);
	store_bind_text(query, at->boot);
	return store_step(query, err) < 0 ? err_in(err, "ledger of %s", run_key) : 0;
}

/* 1 and the run of an open span that counts for somebody else, 0 none, -1 failed. */
static int next_stale(struct store_db *db, int64_t repo_id, char key[static ENGINE_KEY_ROOM],
		      struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "SELECT l.run_key FROM ledger l JOIN spaces s USING (repo_id) JOIN repos r"
		    " ON r.id = l.repo_id WHERE l.repo_id = ? AND l.to_ms IS NULL"
		    " AND (l.owner_id <> r.owner_id OR l.space <> s.full_name) LIMIT 1");
	int row;

	store_bind_int(query, repo_id);
	row = store_step(query, err);
	if (row > 0)
		store_copy(query, 0, key, ENGINE_KEY_ROOM);
	return row;
}

int ledger_renew(struct store_db *db, int64_t repo_id, struct err *err)
{
	struct ledger_moment now = ledger_moment(0);
	char key[ENGINE_KEY_ROOM];
	int row;

	while ((row = next_stale(db, repo_id, key, err)) > 0)
		if (ledger_end(db, key, &now, err) < 0 || ledger_begin(db, key, &now, err) < 0)
			return -1;
	return row;
}

int ledger_see(struct store_db *db, const struct ledger_moment *at, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "INSERT OR REPLACE INTO ledger_seen (one, at_ms, mono_ms, boot)"
				" SELECT 1, ?, ?, ? WHERE EXISTS"
				" (SELECT 1 FROM ledger WHERE to_ms IS NULL)");

	store_bind_int(query, at->wall_ms);
	store_bind_int(query, at->mono_ms);
	store_bind_text(query, at->boot);
	return store_step(query, err) < 0 ? err_in(err, "ledger") : 0;
}

/* The boot tells whether what was seen is newer than the span: wall clocks may jump. */
int ledger_last_seen(struct store_db *db, const char *run_key, struct ledger_moment *out,
		     struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "SELECT at_ms, mono_ms, boot FROM (SELECT s.at_ms, s.mono_ms, s.boot, 1 AS o"
		    " FROM ledger_seen s, ledger l WHERE l.run_key = ?1 AND l.to_ms IS NULL"
		    " AND CASE WHEN s.boot = l.boot THEN s.mono_ms > l.from_mono"
		    " ELSE s.at_ms > l.from_ms END"
		    " UNION ALL SELECT from_ms, from_mono, boot, 2 FROM ledger"
		    " WHERE run_key = ?1 AND to_ms IS NULL) ORDER BY o LIMIT 1");
	int row;

	store_bind_text(query, run_key);
	row = store_step(query, err);
	if (row < 0)
		return err_in(err, "ledger of %s", run_key);
	*out = row > 0 ? (struct ledger_moment){.wall_ms = store_int(query, 0),
						.mono_ms = store_int(query, 1)}
		       : ledger_moment(0);
	if (row > 0)
		store_copy(query, 2, out->boot, sizeof(out->boot));
	return 0;
}

static int64_t cost_of(int64_t price, int64_t used_ms)
{
	__int128 cost = ((__int128)price * used_ms + MINUTE_MS / 2) / MINUTE_MS;

	return cost > INT64_MAX ? INT64_MAX : (int64_t)cost;
}

static void read_use(struct store_query *query, struct ledger_use *out)
{
	*out = (struct ledger_use){.price = store_int(query, 2), .used_ms = store_int(query, 3)};
	store_copy(query, 0, out->space, sizeof(out->space));
	store_copy(query, 1, out->flavor, sizeof(out->flavor));
	out->cost = cost_of(out->price, out->used_ms);
}

/*
 * An open span of another boot than this has nobody who knows of it: it counts as long as it was
 * seen. The column beside max(id) is that row's (sqlite.org/lang_select.html#bareagg).
 */
#define USE                                                                                       \
	"WITH span AS (SELECT id, repo_id, space, flavor, price, from_ms,"                        \
	" CASE WHEN used_ms IS NOT NULL THEN used_ms"                                             \
	" WHEN boot = ?2 AND boot <> '' THEN max(0, ?1 - from_mono)"                              \
	" ELSE max(0, ifnull((SELECT at_ms FROM ledger_seen), from_ms) - from_ms) END AS used_ms" \
	" FROM ledger WHERE (?3 = 0 OR repo_id = ?3) AND (?4 = 0 OR owner_id = ?4)"               \
	" AND (?5 IS NULL OR flavor = ?5)),"                                                      \
	" part AS (SELECT id, repo_id, space, flavor, price, max(0,"                              \
	" min(from_ms + used_ms, ?7) - max(from_ms, ?6)) AS ms FROM span)"                        \
	" SELECT space, flavor, price, sum(ms), max(id) FROM part WHERE ms > 0"                   \
	" GROUP BY repo_id, flavor, price ORDER BY space, flavor, price"

int ledger_each(struct store_db *db, const struct ledger_filter *filter,
		const struct ledger_moment *now,
		void (*each)(void *arg, const struct ledger_use *use), void *arg, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(db, USE);
	struct ledger_use use;
	int row;

	store_bind_int(query, now->mono_ms);
	store_bind_text(query, now->boot);
	store_bind_int(query, filter->repo_id);
	store_bind_int(query, filter->owner_id);
	store_bind_text(query, filter->flavor);
	store_bind_int(query, filter->from_ms);
	store_bind_int(query, filter->to_ms ? filter->to_ms : INT64_MAX);
	while ((row = store_step(query, err)) > 0) {
		read_use(query, &use);
		each(arg, &use);
	}
	return row < 0 ? err_in(err, "ledger") : 0;
}

static void add_used(void *arg, const struct ledger_use *use)
{
	*(int64_t *)arg += use->used_ms;
}

int ledger_used_ms(struct store_db *db, const struct ledger_filter *filter, int64_t *out,
		   struct err *err)
{
	const struct ledger_moment now = ledger_moment(0);

	*out = 0;
	return ledger_each(db, filter, &now, add_used, out, err);
}

const char *ledger_seconds(int64_t ms, char out[static LEDGER_TEXT_ROOM])
{
	snprintf(out, LEDGER_TEXT_ROOM, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
	return out;
}

const char *ledger_usd(int64_t micro_usd, char out[static LEDGER_TEXT_ROOM])
{
	snprintf(out, LEDGER_TEXT_ROOM, "%" PRId64 ".%06d", micro_usd / 1000000,
		 (int)(micro_usd % 1000000));
	return out;
}
