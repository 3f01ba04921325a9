#include "auth/account.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hash.h"

/* In the order that read_account() expects. */
#define COLUMNS                                                                             \
	"a.id, a.hex, a.type, a.name, a.fullname, a.email, a.admin, a.private_by_default, " \
	"a.created_ms"

enum { COLUMN_COUNT = 9 };

static const char *const member_names[] = {
	[ACCOUNT_MEMBER_NONE] = "",
	[ACCOUNT_MEMBER_READ] = "read",
	[ACCOUNT_MEMBER_CONTRIBUTOR] = "contributor",
	[ACCOUNT_MEMBER_WRITE] = "write",
	[ACCOUNT_MEMBER_ADMIN] = "admin",
};

const char *account_member_name(enum account_member member)
{
	return member_names[member];
}

const char *account_title(const struct account *account)
{
	return account->fullname[0] ? account->fullname : account->name;
}

int account_member_parse(const char *text, enum account_member *out, struct err *err)
{
	for (enum account_member m = ACCOUNT_MEMBER_READ; m <= ACCOUNT_MEMBER_ADMIN; m++) {
		if (strcmp(text, member_names[m]) == 0) {
			*out = m;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "no role of a member: %.100s", text);
}

static const char *type_name(enum account_type type)
{
	return type == ACCOUNT_ORG ? "org" : "user";
}

/* "a user", "an organisation": for sentences. */
static const char *type_words(enum account_type type)
{
	return type == ACCOUNT_ORG ? "an organisation" : "a user";
}

static void read_account(struct store_query *q, struct account *out)
{
	out->id = store_int(q, 0);
	store_copy(q, 1, out->hex, sizeof(out->hex));
	out->type = strcmp(store_text(q, 2), "org") == 0 ? ACCOUNT_ORG : ACCOUNT_USER;
	store_copy(q, 3, out->name, sizeof(out->name));
	store_copy(q, 4, out->fullname, sizeof(out->fullname));
	store_copy(q, 5, out->email, sizeof(out->email));
	out->admin = store_int(q, 6) != 0;
	out->private_by_default = store_int(q, 7) != 0;
	out->created_ms = store_int(q, 8);
}

int account_find(struct store_db *db, const char *name, struct account *out, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "SELECT " COLUMNS " FROM accounts a WHERE a.name = ?");

	store_bind_text(q, name);
	int found = store_step(q, err);
	if (found > 0)
		read_account(q, out);
	return found;
}

int account_by_id(struct store_db *db, int64_t id, struct account *out, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "SELECT " COLUMNS " FROM accounts a WHERE a.id = ?");

	store_bind_int(q, id);
	int found = store_step(q, err);
	if (found > 0)
		read_account(q, out);
	return found;
}

/* First parts of the hub's own addresses: "/NAME/…" must not mean two things. */
static bool name_is_taken(const char *name)
{
	static const char *const taken[] = {
		"api",       "apps",          "assets", "avatars", "buckets", "collections",
		"dashboard", "datasets",      "docs",   "front",   "health",  "join",
		"kernels",   "login",         "logout", "metrics", "models",  "new",
		"oauth",     "organizations", "orgs",   "papers",  "pages",   "resolve-cache",
		"search",    "settings",      "spaces", "static",  "users",   "xet",
	};

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcasecmp(name, taken[i]) == 0)
			return true;
	return false;
}

/* One line of text for people: it ends up in JSON, HTML and terminals. */
static bool is_one_line(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			return false;
	return true;
}

static int check_wanted(const struct account *wanted, struct err *err)
{
	const char *fault = name_fault(wanted->name);

	if (fault)
		return err_set(err, ERR_INVALID, "\"%s\" is no valid name: %s", wanted->name,
			       fault);
	if (name_is_taken(wanted->name))
		return err_set(err, ERR_INVALID, "the hub itself needs the name %s", wanted->name);
	if (!is_one_line(wanted->fullname))
		return err_set(err, ERR_INVALID, "the full name of %s is not one line of text",
			       wanted->name);
	if (wanted->email[0] && (!is_one_line(wanted->email) || !strchr(wanted->email, '@') ||
				 strchr(wanted->email, ' ')))
		return err_set(err, ERR_INVALID, "no address of email: \"%s\"", wanted->email);
	return 0;
}

static bool is_same(const struct account *there, const struct account *wanted)
{
	return there->type == wanted->type && strcmp(there->name, wanted->name) == 0 &&
	       strcmp(there->fullname, wanted->fullname) == 0 &&
	       strcmp(there->email, wanted->email) == 0 && there->admin == wanted->admin &&
	       there->private_by_default == wanted->private_by_default;
}

int account_add(struct store_db *db, const struct account *wanted, struct err *err)
{
	struct account there;
	char hex[ID_HEX];

	if (check_wanted(wanted, err) < 0)
		return -1;
	int found = account_find(db, wanted->name, &there, err);
	if (found < 0)
		return -1;
	if (found > 0 && !is_same(&there, wanted))
		return err_set(err, ERR_EXISTS, "%s exists: %s with other data", there.name,
			       type_words(there.type));
	if (found > 0)
		return 0;

	owned(store_query_end) struct store_query *q =
		store_query(db, "INSERT INTO accounts (hex, type, name, fullname, email, admin, "
				"private_by_default, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
	random_id(hex);
	store_bind_text(q, hex);
	store_bind_text(q, type_name(wanted->type));
	store_bind_text(q, wanted->name);
	store_bind_text(q, wanted->fullname);
	store_bind_text(q, wanted->email);
	store_bind_int(q, wanted->admin);
	store_bind_int(q, wanted->private_by_default);
	store_bind_int(q, clock_wall_ms());
	return store_step(q, err) < 0 ? -1 : 1;
}

static int need_type(struct store_db *db, int64_t id, enum account_type type, struct err *err)
{
	struct account account;
	int found = account_by_id(db, id, &account, err);

	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_INVALID, "there is no account %lld", (long long)id);
	if (account.type != type)
		return err_set(err, ERR_INVALID, "%s is not %s", account.name, type_words(type));
	return 0;
}

static int remove_member(struct store_db *db, int64_t org_id, int64_t user_id, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "DELETE FROM members WHERE org_id = ? AND user_id = ?");

	store_bind_int(q, org_id);
	store_bind_int(q, user_id);
	return store_step(q, err);
}

int account_set_member(struct store_db *db, int64_t org_id, int64_t user_id,
		       enum account_member member, struct err *err)
{
	if (need_type(db, org_id, ACCOUNT_ORG, err) < 0 ||
	    need_type(db, user_id, ACCOUNT_USER, err) < 0)
		return -1;
	if (member == ACCOUNT_MEMBER_NONE)
		return remove_member(db, org_id, user_id, err);

	owned(store_query_end) struct store_query *q =
		store_query(db, "INSERT INTO members (org_id, user_id, role) VALUES (?, ?, ?) "
				"ON CONFLICT (org_id, user_id) DO UPDATE SET role = excluded.role");
	store_bind_int(q, org_id);
	store_bind_int(q, user_id);
	store_bind_text(q, account_member_name(member));
	return store_step(q, err);
}

int account_membership(struct store_db *db, int64_t org_id, int64_t user_id,
		       enum account_member *out, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "SELECT role FROM members WHERE org_id = ? AND user_id = ?");

	store_bind_int(q, org_id);
	store_bind_int(q, user_id);
	int found = store_step(q, err);
	if (found < 0)
		return -1;
	if (found > 0)
		return account_member_parse(store_text(q, 0), out, err);
	*out = ACCOUNT_MEMBER_NONE;
	return 0;
}

int account_each_org(struct store_db *db, int64_t user_id,
		     void (*each)(void *arg, const struct account *org, enum account_member member),
		     void *arg, struct err *err)
{
	owned(store_query_end) struct store_query *q = store_query(
		db, "SELECT " COLUMNS ", m.role FROM members m JOIN accounts a ON a.id = m.org_id "
		    "WHERE m.user_id = ? ORDER BY a.name");
	int row;

	store_bind_int(q, user_id);
	while ((row = store_step(q, err)) > 0) {
		struct account org;
		enum account_member member = ACCOUNT_MEMBER_NONE;

		read_account(q, &org);
		if (account_member_parse(store_text(q, COLUMN_COUNT), &member, err) < 0)
			return -1;
		each(arg, &org, member);
	}
	return row;
}

int account_each_member(struct store_db *db, int64_t org_id, const char *after,
			const struct account_each *each, struct err *err)
{
	owned(store_query_end) struct store_query *q = store_query(
		db, "SELECT " COLUMNS ", m.role FROM members m JOIN accounts a ON a.id = m.user_id "
		    "WHERE m.org_id = ? AND a.name > ? ORDER BY a.name");
	int row;

	store_bind_int(q, org_id);
	store_bind_text(q, after);
	while ((row = store_step(q, err)) > 0) {
		struct account user;
		enum account_member member = ACCOUNT_MEMBER_NONE;

		read_account(q, &user);
		if (account_member_parse(store_text(q, COLUMN_COUNT), &member, err) < 0)
			return -1;
		if (!each->call(each->arg, &user, member))
			return 0;
	}
	return row;
}

int account_count_members(struct store_db *db, int64_t org_id, int64_t *out, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "SELECT count(*) FROM members WHERE org_id = ?");

	store_bind_int(q, org_id);
	if (store_step(q, err) < 0)
		return -1;
	*out = store_int(q, 0);
	return 0;
}
