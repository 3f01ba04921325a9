#include "daemon/words/words.h"

#include <string.h>

#include "auth/account.h"
#include "daemon/words/account_word.h"
#include "daemon/words/usage.h"
#include "store/audit.h"

#define LINE "user add NAME [--fullname F] [--email E] [--admin]"

static int parse(int argc, char **argv, struct account *out, struct err *err)
{
	const char *name = NULL;
	const char *fullname = NULL;
	const char *email = NULL;
	const struct usage_option options[] = {
		{"--fullname", USAGE_TEXT, &fullname},
		{"--email", USAGE_TEXT, &email},
		{"--admin", USAGE_FLAG, &out->admin},
	};
	const struct usage usage = {LINE, options, sizeof(options) / sizeof(options[0]), &name, 1};

	if (usage_parse(&usage, argc, argv, err) < 0)
		return -1;
	return account_word_fill(out, name, fullname, email, err);
}

static int add(struct store *store, int argc, char **argv, FILE *out, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct account user = {.type = ACCOUNT_USER};

	if (parse(argc, argv, &user, err) < 0 || store_tx_begin(store, &tx, err) < 0)
		return -1;
	int added = account_add(store_tx_db(tx), &user, err);
	if (added < 0)
		return -1;
	const struct audit_entry entry = {
		.action = "user.add",
		.target = user.name,
		.detail = user.admin ? "admin" : NULL,
	};
	if (added > 0 && audit_add(store_tx_db(tx), &entry, err) < 0)
		return -1;
	if (store_tx_commit(take(tx), err) < 0)
		return -1;
	fprintf(out, "user %s %s\n", user.name, added > 0 ? "added" : "is there already");
	return 0;
}

int words_user(struct store *store, int argc, char **argv, FILE *out, struct err *err)
{
	if (argc < 1 || strcmp(argv[0], "add") != 0)
		return err_set(err, ERR_INVALID, "usage: %s", LINE);
	return add(store, argc - 1, argv + 1, out, err);
}
