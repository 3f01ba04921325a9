#include "api/call.h"

#include "api/answer.h"
#include "base/mem.h"
#include "space/keys.h"
#include "space/wish.h"

/*
 * Secrets and variables: A9. What the app would see restarts it; what is wished already changes
 * nothing.
 */

static int read_all(struct call *call, enum keys_kind kind, json_t **out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct keys keys = {.repo_id = call->repo.id, .vault = call->config->vault};

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	keys.db = store_read_db(read);
	return keys_json(&keys, kind, out, err);
}

static int answer_all(struct call *call, enum keys_kind kind, struct err *err)
{
	json_t *all;

	if (read_all(call, kind, &all, err) < 0)
		return -1;
	answer_json(call->answer, all);
	return 0;
}

int call_secrets(struct call *call, struct err *err)
{
	return answer_all(call, KEYS_SECRET, err);
}

int call_variables(struct call *call, struct err *err)
{
	return answer_all(call, KEYS_VARIABLE, err);
}

/* A change, with all that follows from it, in one transaction. */
static int change(struct call *call, enum keys_kind kind, const struct keys_entry *entry,
		  struct err *err)
{
	static const char *const set[] = {"space.variable.set", "space.secret.set"};
	static const char *const dropped[] = {"space.variable.delete", "space.secret.delete"};
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct keys keys = {.repo_id = call->repo.id, .vault = call->config->vault};
	int changed;

	if (call_change(call, &tx, err) < 0)
		return -1;
	keys.db = store_tx_db(tx);
	changed = entry->value ? keys_set(&keys, kind, entry, err)
			       : keys_delete(&keys, kind, entry->key, err);
	if (changed <= KEYS_SAME)
		return changed;
	if ((changed == KEYS_CHANGED && wish_keys(keys.db, call->repo.id, err) < 0) ||
	    call_audit(call, tx, (entry->value ? set : dropped)[kind], entry->key, err) < 0 ||
	    store_tx_commit(take(tx), err) < 0)
		return -1;
	if (changed == KEYS_CHANGED)
		call_wake(call);
	return 0;
}

static int set_key(struct call *call, enum keys_kind kind, struct err *err)
{
	struct keys_entry entry;
	json_t *body;

	if (call_json(call, &body, err) < 0 || keys_from_json(body, &entry, err) < 0)
		return -1;
	return change(call, kind, &entry, err);
}

/* One that isn't there is gone: 200 as well (A9). */
static int delete_key(struct call *call, enum keys_kind kind, struct err *err)
{
	struct keys_entry entry = {0};
	json_t *body;

	if (call_json(call, &body, err) < 0 || json_need_text(body, "key", &entry.key, err) < 0)
		return -1;
	return change(call, kind, &entry, err);
}

static int answer_nothing(struct call *call)
{
	answer_json(call->answer, json_object());
	return 0;
}

int call_set_secret(struct call *call, struct err *err)
{
	return set_key(call, KEYS_SECRET, err) < 0 ? -1 : answer_nothing(call);
}

int call_delete_secret(struct call *call, struct err *err)
{
	return delete_key(call, KEYS_SECRET, err) < 0 ? -1 : answer_nothing(call);
}

int call_set_variable(struct call *call, struct err *err)
{
	return set_key(call, KEYS_VARIABLE, err) < 0 ? -1 : answer_all(call, KEYS_VARIABLE, err);
}

int call_delete_variable(struct call *call, struct err *err)
{
	return delete_key(call, KEYS_VARIABLE, err) < 0 ? -1 : answer_all(call, KEYS_VARIABLE, err);
}
