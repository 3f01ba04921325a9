#include "auth/visible.h"

#include "base/mem.h"

#define PUBLIC "r.is_private = 0"
#define PERSON "(r.owner_id = ? OR r.owner_id IN (SELECT org_id FROM members WHERE user_id = ?))"
#define SCOPES                                                                       \
	"EXISTS (SELECT 1 FROM token_scopes s JOIN accounts o ON o.id = r.owner_id " \
	"WHERE s.token_id = ? AND s.full_name IN (o.name, o.name || '/' || r.name))"

void visible_to(const struct actor *actor, struct store_condition *out)
{
	const int64_t user = actor->user_id;
	const bool scoped = actor->role == AUTH_FINE_GRAINED;

	if (user == 0)
		*out = (struct store_condition){"(" PUBLIC ")", 0, {0}};
	else if (actor->admin && !scoped)
		*out = (struct store_condition){"(1)", 0, {0}};
	else if (actor->admin)
		*out = (struct store_condition){"(" PUBLIC " OR " SCOPES ")", 1, {actor->token_id}};
	else if (!scoped)
		*out = (struct store_condition){"(" PUBLIC " OR " PERSON ")", 2, {user, user}};
	else
		*out = (struct store_condition){"(" PUBLIC " OR (" PERSON " AND " SCOPES "))",
						3,
						{user, user, actor->token_id}};
}

int visible_owners(struct store_db *db, const struct actor *actor, struct visible_owners *out,
		   struct err *err)
{
	owned(visible_owners_done) struct visible_owners owners = {.all = actor->admin};
	owned(store_query_end) struct store_query *query = NULL;
	int row;

	query = store_query(db, "SELECT id FROM accounts WHERE id = ?"
				" UNION ALL SELECT org_id FROM members WHERE user_id = ?");
	store_bind_int(query, actor->user_id);
	store_bind_int(query, actor->user_id);
	while ((row = store_step(query, err)) > 0) {
		owners.ids = mem_grow(owners.ids, owners.count + 1, sizeof(*owners.ids));
		owners.ids[owners.count++] = store_int(query, 0);
	}
	if (row < 0)
		return -1;
	*out = owners;
	owners.ids = NULL;
	return 0;
}

void visible_owners_done(struct visible_owners *owners)
{
	free(owners->ids);
}
