#include "daemon/words/words.h"

#include <string.h>

#include "auth/account.h"
#include "auth/token.h"
#include "base/str.h"
#include "daemon/words/account_word.h"
#include "daemon/words/usage.h"
#include "store/audit.h"

#define ADD_LINE                                           \
	"token add USER [--role read|write|fine-grained] " \
	"[--scope repo.read|repo.write:NS[/NAME]]... "     \
	"[--name N] [--value hf_...]"
/* Bytes: the longest scopes are cut. */
enum { DETAIL_MAX = 4096 };

#define REVOKE_LINE "token revoke USER NAME"

static int parse_add(int argc, char **argv, const char **user, struct usage_list *scopes,
		     struct token_spec *spec, struct err *err)
{
	const char *role = NULL;
	const struct usage_option options[] = {
		{"--role", USAGE_TEXT, &role},
		{"--scope", USAGE_LIST, scopes},
		{"--name", USAGE_TEXT, &spec->name},
		{"--value", USAGE_TEXT, &spec->value},
	};
	const struct usage usage = {ADD_LINE, options, sizeof(options) / sizeof(options[0]), user,
				    1};

	if (usage_parse(&usage, argc, argv, err) < 0)
		return -1;
	spec->scopes = scopes->values;
	spec->role = scopes->count > 0 ? AUTH_FINE_GRAINED : AUTH_WRITE;
	return role ? token_role_parse(role, &spec->role, err) : 0;
}

/* Its name, which may have been chosen for it, its role and its scopes. */
static int tell_token(struct store_db *db, const char *user_name, const struct token_spec *spec,
		      const char *value, struct err *err)
{
	owned(str_done) struct str detail = str_new(DETAIL_MAX);
	struct actor token;

	if (auth_actor(db, value, &token, err) < 0)
		return -1;
	str_addf(&detail, "%s %s", token.token_name, token_role_name(token.role));
	for (const char *const *scope = spec->scopes; scope && *scope; scope++)
		str_addf(&detail, " %s", *scope);
	const struct audit_entry entry = {
		.action = "token.add", .target = user_name, .detail = detail.data};
	return audit_add(db, &entry, err);
}

static int add_token(struct store_db *db, const char *user_name, const struct token_spec *spec,
		     char value[static TOKEN_ROOM], struct err *err)
{
	struct account user;

	if (account_word_user(db, user_name, &user, err) < 0)
		return -1;
	int added = token_add(db, user.id, spec, value, err);
	if (added <= 0)
		return added;
	return tell_token(db, user.name, spec, value, err);
}

static int add(struct store *store, int argc, char **argv, FILE *out, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	const char *user = NULL;
	struct usage_list scopes = {0};
	struct token_spec spec = {0};
	char value[TOKEN_ROOM];

	if (parse_add(argc, argv, &user, &scopes, &spec, err) < 0 ||
	    store_tx_begin(store, &tx, err) < 0 ||
	    add_token(store_tx_db(tx), user, &spec, value, err) < 0 ||
	    store_tx_commit(take(tx), err) < 0)
		return -1;
	fprintf(out, "%s\n", value);
	explicit_bzero(value, sizeof(value));
	return 0;
}

static int revoke_token(struct store_db *db, const char *user_name, const char *name,
			struct err *err)
{
	struct account user;
	int64_t id = 0;

	if (account_word_user(db, user_name, &user, err) < 0)
		return -1;
	int found = token_find(db, user.id, name, &id, err);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "%s has no token named %.100s", user.name, name);
	const struct audit_entry entry = {
		.action = "token.revoke",
		.target = user.name,
		.detail = name,
	};
	return token_revoke(db, id, err) < 0 ? -1 : audit_add(db, &entry, err);
}

static int cancel(struct store *store, int argc, char **argv, FILE *out, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	const char *names[2] = {NULL};
	const struct usage usage = {REVOKE_LINE, NULL, 0, names, 2};

	if (usage_parse(&usage, argc, argv, err) < 0 || store_tx_begin(store, &tx, err) < 0 ||
	    revoke_token(store_tx_db(tx), names[0], names[1], err) < 0 ||
	    store_tx_commit(take(tx), err) < 0)
		return -1;
	fprintf(out, "token %s of %s revoked\n", names[1], names[0]);
	return 0;
}

int words_token(struct store *store, int argc, char **argv, FILE *out, struct err *err)
{
	if (argc >= 1 && strcmp(argv[0], "add") == 0)
		return add(store, argc - 1, argv + 1, out, err);
	if (argc >= 1 && strcmp(argv[0], "revoke") == 0)
		return cancel(store, argc - 1, argv + 1, out, err);
	return err_set(err, ERR_INVALID, "usage: %s | %s", ADD_LINE, REVOKE_LINE);
}
