#include "store/audit.h"

#include "base/clock.h"
#include "base/json.h"
#include "store/chain.h"
#include "store/connection.h"

static const struct audit_who the_hub = {.actor = "the hub"};

static const char *text(const char *may_be_null)
{
	return may_be_null ? may_be_null : "";
}

static void fill(const struct store_db *db, const struct audit_entry *entry, struct audit_row *out)
{
	const struct audit_who *signer = db->signer ? db->signer : &the_hub;
	const struct audit_who *who = entry->who ? entry->who : signer;

	out->at_ms = clock_wall_ms();
	out->who = (struct audit_who){
		.actor_id = who->actor_id,
		.actor = text(who->actor),
		.token_id = who->token_id,
		.token = text(who->token),
		.address = text(who->address),
		.via = text(who->via),
		.request = text(who->request),
		.agent = text(who->agent),
	};
	out->action = text(entry->action);
	out->target = text(entry->target);
	out->detail = text(entry->detail);
}

static int insert(struct store_db *db, const struct audit_row *row, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "INSERT INTO audit (" AUDIT_COLUMNS ") "
				"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

	store_bind_int(q, row->id);
	store_bind_int(q, row->at_ms);
	store_bind_int(q, row->who.actor_id);
	store_bind_text(q, row->who.actor);
	store_bind_int(q, row->who.token_id);
	store_bind_text(q, row->who.token);
	store_bind_text(q, row->who.address);
	store_bind_text(q, row->who.via);
	store_bind_text(q, row->who.request);
	store_bind_text(q, row->who.agent);
	store_bind_text(q, row->action);
	store_bind_text(q, row->target);
	store_bind_text(q, row->detail);
	store_bind_text(q, row->hash);
	return store_step(q, err);
}

int audit_add(struct store_db *db, const struct audit_entry *entry, struct err *err)
{
	struct chain_head head;
	struct audit_row row;
	char hash[HASH_HEX];

	if (chain_head(db, &head, err) < 0)
		return err_in(err, "audit %s", entry->action);
	fill(db, entry, &row);
	row.id = head.id + 1;
	chain_hash(head.hash, &row, hash);
	row.hash = hash;
	if (insert(db, &row, err) < 0 || chain_advance(db, &row, err) < 0)
		return err_in(err, "audit %s", entry->action);
	return 0;
}

void audit_read(struct store_query *query, struct audit_row *out)
{
	*out = (struct audit_row){
		.id = store_int(query, 0),
		.at_ms = store_int(query, 1),
		.who = {.actor_id = store_int(query, 2),
			.actor = store_text(query, 3),
			.token_id = store_int(query, 4),
			.token = store_text(query, 5),
			.address = store_text(query, 6),
			.via = store_text(query, 7),
			.request = store_text(query, 8),
			.agent = store_text(query, 9)},
		.action = store_text(query, 10),
		.target = store_text(query, 11),
		.detail = store_text(query, 12),
		.hash = store_text(query, 13),
	};
}

int audit_each(struct store_db *db, const struct audit_query *query,
	       void (*each)(void *arg, const struct audit_row *row), void *arg, struct err *err)
{
	owned(store_query_end) struct store_query *q = store_query(
		db, "SELECT " AUDIT_COLUMNS " FROM audit WHERE id < ?1 AND at_ms >= ?2 "
		    "AND at_ms < ?3 AND (?4 = '' OR actor = ?4 COLLATE NOCASE) "
		    "AND (?5 = '' OR target COLLATE NOCASE IN "
		    "(?5, 'models/' || ?5, 'datasets/' || ?5, 'spaces/' || ?5)) "
		    "AND (?6 = '' OR action = ?6 OR substr(action, 1, length(?6) + 1) = ?6 || '.') "
		    "ORDER BY id DESC LIMIT ?7");
	struct audit_row row;
	int found;

	store_bind_int(q, query->before_id ? query->before_id : INT64_MAX);
	store_bind_int(q, query->since_ms);
	store_bind_int(q, query->until_ms ? query->until_ms : INT64_MAX);
	store_bind_text(q, text(query->actor));
	store_bind_text(q, text(query->target));
	store_bind_text(q, text(query->action));
	store_bind_int(q, query->limit ? query->limit : INT64_MAX);
	while ((found = store_step(q, err)) > 0) {
		audit_read(q, &row);
		each(arg, &row);
	}
	return found;
}

/* Rows of ours are UTF-8; those that somebody else has put in need not be. */
static json_t *string(const char *value)
{
	json_t *json = json_string(value);

	return json ? json : json_string("?");
}

json_t *audit_json(const struct audit_row *row)
{
	const struct audit_who *who = &row->who;
	char at[CLOCK_STAMP_MAX];

	return json_pack("{s:I, s:s, s:I, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			 "s:o}",
			 "id", (json_int_t)row->id, "createdAt", clock_stamp(row->at_ms, at),
			 "atMs", (json_int_t)row->at_ms, "actorId", (json_int_t)who->actor_id,
			 "actor", string(who->actor), "tokenId", (json_int_t)who->token_id, "token",
			 string(who->token), "address", string(who->address), "via",
			 string(who->via), "requestId", string(who->request), "userAgent",
			 string(who->agent), "action", string(row->action), "target",
			 string(row->target), "detail", string(row->detail), "hash",
			 string(row->hash));
}
