#include "people.h"

#include <stdio.h>

#include "auth/account.h"
#include "scratch.h"

static int64_t add(struct store *store, struct account *account, const char *name)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	snprintf(account->name, sizeof(account->name), "%s", name);
	assert_ok(store_tx_begin(store, &tx, &err));
	assert_ok(account_add(store_tx_db(tx), account, &err));
	assert_int_equal(account_find(store_tx_db(tx), name, account, &err), 1);
	assert_ok(store_tx_commit(take(tx), &err));
	return account->id;
}

int64_t people_add_user(struct store *store, const char *name, bool admin)
{
	struct account user = {.type = ACCOUNT_USER, .admin = admin};

	return add(store, &user, name);
}

int64_t people_add_org(struct store *store, const char *name)
{
	struct account org = {.type = ACCOUNT_ORG};

	return add(store, &org, name);
}
