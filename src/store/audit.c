#include "store/audit.h"

#include "base/clock.h"

int audit_add(struct store_db *db, const struct audit_entry *entry, struct err *err)
{
	owned(store_query_end) struct store_query *q = store_query(
		db, "INSERT INTO audit (at_ms, actor_id, token_id, action, target, detail) "
		    "VALUES (?, ?, ?, ?, ?, ?)");

	store_bind_int(q, clock_wall_ms());
	store_bind_int(q, entry->actor_id);
	store_bind_int(q, entry->token_id);
	store_bind_text(q, entry->action);
	store_bind_text(q, entry->target);
	store_bind_text(q, entry->detail ? entry->detail : "");
	return store_step(q, err) < 0 ? err_in(err, "audit %s", entry->action) : 0;
}
