#include "daemon/words/words.h"

#include <string.h>

#include "auth/account.h"
#include "base/mem.h"
#include "daemon/words/account_word.h"
#include "daemon/words/usage.h"
#include "store/audit.h"

#define ADD_LINE                                              \
	"org add NAME [--fullname F] [--private-by-default] " \
	"[--member USER:admin|write|contributor|read]..."
#define MEMBER_LINE "org member NAME USER:admin|write|contributor|read|none"

#define NONE        ":none"

static int parse(int argc, char **argv, struct account *out, struct usage_list *members,
		 struct err *err)
{
	const char *name = NULL;
	const char *fullname = NULL;
	const struct usage_option options[] = {
		{"--fullname", USAGE_TEXT, &fullname},
		{"--private-by-default", USAGE_FLAG, &out->private_by_default},
		{"--member", USAGE_LIST, members},
	};
	const struct usage usage = {ADD_LINE, options, sizeof(options) / sizeof(options[0]), &name,
				    1};

	if (usage_parse(&usage, argc, argv, err) < 0)
		return -1;
	return account_word_fill(out, name, fullname, NULL, err);
}

/* "USER:ROLE"; "none" is to be no member. */
static int parse_member(struct store_db *db, const char *text, int64_t *user_id,
			enum account_member *member, struct err *err)
{
	struct account user;
	char name[NAME_ROOM];
	const char *colon = strchr(text, ':');

	if (!colon || (size_t)(colon - text) >= sizeof(name))
		return err_set(err, ERR_INVALID, "a member is USER:ROLE, not %.100s", text);
	memcpy(name, text, (size_t)(colon - text));
	name[colon - text] = '\0';
	*member = ACCOUNT_MEMBER_NONE;
	if ((strcmp(colon + 1, "none") != 0 && account_member_parse(colon + 1, member, err) < 0) ||
	    account_word_user(db, name, &user, err) < 0)
		return -1;
	*user_id = user.id;
	return 0;
}

/* A new organisation gets its members; those of one that is there are compared. */
static int put_member(struct store_db *db, const struct account *org, bool is_new, const char *text,
		      struct err *err)
{
	enum account_member wanted = ACCOUNT_MEMBER_NONE;
	enum account_member there = ACCOUNT_MEMBER_NONE;
	int64_t user_id = 0;

	if (parse_member(db, text, &user_id, &wanted, err) < 0 ||
	    account_membership(db, org->id, user_id, &there, err) < 0)
		return -1;
	if (there == wanted)
		return 0;
	/* In a new one it is named twice, with two roles. */
	if (!is_new || there != ACCOUNT_MEMBER_NONE)
		return err_set(err, ERR_EXISTS, "%s exists: its member %.100s has another role",
			       org->name, text);
	return account_set_member(db, org->id, user_id, wanted, err);
}

static int put_org(struct store_db *db, const struct account *wanted,
		   const struct usage_list *members, struct err *err)
{
	struct account org;
	int added = account_add(db, wanted, err);

	if (added < 0 || account_find(db, wanted->name, &org, err) < 0)
		return -1;
	for (size_t i = 0; i < members->count; i++)
		if (put_member(db, &org, added > 0, members->values[i], err) < 0)
			return -1;
	const struct audit_entry entry = {.action = "org.add", .target = wanted->name};
	if (added > 0 && audit_add(db, &entry, err) < 0)
		return -1;
	return added;
}

static int add(struct store *store, int argc, char **argv, FILE *out, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct account wanted = {.type = ACCOUNT_ORG};
	struct usage_list members = {0};

	if (parse(argc, argv, &wanted, &members, err) < 0 || store_tx_begin(store, &tx, err) < 0)
		return -1;
	int added = put_org(store_tx_db(tx), &wanted, &members, err);
	if (added < 0 || store_tx_commit(take(tx), err) < 0)
		return -1;
	fprintf(out, "organisation %s %s\n", wanted.name, added > 0 ? "added" : "is there already");
	return 0;
}

/* "ada:read -> admin" */
static int tell_member(struct store_db *db, const struct account *org, const char *text,
		       enum account_member was, struct err *err)
{
	const char *colon = strchr(text, ':');
	owned(free) char *detail = mem_format(
		"%.*s:%s -> %s", (int)(colon - text), text,
		was == ACCOUNT_MEMBER_NONE ? "none" : account_member_name(was), colon + 1);
	const struct audit_entry entry = {
		.action = "org.member", .target = org->name, .detail = detail};

	return audit_add(db, &entry, err);
}

/* 1 changed, 0 it was so before. */
static int change_member(struct store_db *db, const char *name, const char *text, struct err *err)
{
	enum account_member wanted = ACCOUNT_MEMBER_NONE;
	enum account_member there = ACCOUNT_MEMBER_NONE;
	struct account org;
	int64_t user_id = 0;
	int found = account_find(db, name, &org, err);

	if (found < 0)
		return -1;
	if (found == 0 || org.type != ACCOUNT_ORG)
		return err_set(err, ERR_NOT_FOUND, "there is no organisation %.100s", name);
	if (parse_member(db, text, &user_id, &wanted, err) < 0 ||
	    account_membership(db, org.id, user_id, &there, err) < 0)
		return -1;
	if (there == wanted)
		return 0;
	if (account_set_member(db, org.id, user_id, wanted, err) < 0 ||
	    tell_member(db, &org, text, there, err) < 0)
		return -1;
	return 1;
}

static int member(struct store *store, int argc, char **argv, FILE *out, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	const char *names[2] = {NULL};
	const struct usage usage = {MEMBER_LINE, NULL, 0, names, 2};
	int changed;

	if (usage_parse(&usage, argc, argv, err) < 0 || store_tx_begin(store, &tx, err) < 0)
		return -1;
	changed = change_member(store_tx_db(tx), names[0], names[1], err);
	if (changed < 0 || store_tx_commit(take(tx), err) < 0)
		return -1;
	fprintf(out, "member %s of %s %s\n", names[1], names[0],
		changed > 0 ? "set" : "is so already");
	return 0;
}

int words_org(struct store *store, int argc, char **argv, FILE *out, struct err *err)
{
	if (argc >= 1 && strcmp(argv[0], "add") == 0)
		return add(store, argc - 1, argv + 1, out, err);
	if (argc >= 1 && strcmp(argv[0], "member") == 0)
		return member(store, argc - 1, argv + 1, out, err);
	return err_set(err, ERR_INVALID, "usage: %s | %s", ADD_LINE, MEMBER_LINE);
}
