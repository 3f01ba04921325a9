#include "auth/visible.h"

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
