#include "auth/token.h"

#include <assert.h>
#include <string.h>

#include "auth/scope.h"
#include "base/clock.h"
#include "base/hash.h"

#define PREFIX "hf_"

enum { PREFIX_LENGTH = 3, MINTED_LENGTH = 34 };

static_assert((int)TOKEN_HASH_ROOM == (int)HASH_HEX, "a token is known by a SHA-256 in hex");

/* Letters and digits, each as likely as the others: six random bits, drawn again above 61. */
void token_mint(char out[static TOKEN_ROOM])
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t length = PREFIX_LENGTH;

	memcpy(out, PREFIX, PREFIX_LENGTH);
	while (length < PREFIX_LENGTH + MINTED_LENGTH) {
		unsigned char bytes[64];

		random_bytes(bytes, sizeof(bytes));
		for (size_t i = 0; i < sizeof(bytes); i++) {
			unsigned value = bytes[i] & 0x3f;

			if (value < sizeof(alphabet) - 1 && length < PREFIX_LENGTH + MINTED_LENGTH)
				out[length++] = alphabet[value];
		}
	}
	out[length] = '\0';
}

bool token_is_valid(const char *value)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

	if (strncmp(value, PREFIX, PREFIX_LENGTH) != 0)
		return false;
	size_t length = strspn(value + PREFIX_LENGTH, allowed);
	return length >= 1 && length < TOKEN_ROOM - PREFIX_LENGTH &&
	       value[PREFIX_LENGTH + length] == '\0';
}

void token_hash(const char *value, char out[static TOKEN_HASH_ROOM])
{
	hash_hex(value, strlen(value), out);
}

const char *token_role_name(enum auth_role role)
{
	static const char *const names[] = {
		[AUTH_READ] = "read",
		[AUTH_WRITE] = "write",
		[AUTH_FINE_GRAINED] = "fineGrained",
	};

	return names[role];
}

int token_role_parse(const char *text, enum auth_role *out, struct err *err)
{
	static const struct {
		const char *text;
		enum auth_role role;
	} roles[] = {
		{"read", AUTH_READ},
		{"write", AUTH_WRITE},
		{"fineGrained", AUTH_FINE_GRAINED},
		{"fine-grained", AUTH_FINE_GRAINED},
	};

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(text, roles[i].text) == 0) {
			*out = roles[i].role;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "no role of a token: %s", text);
}

/* Python writes the name as a section of an INI file (Wire: A1). */
static bool name_is_plain(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= NAME_ROOM)
		return false;
	for (const char *c = name; *c; c++)
		if (*c < ' ' || *c > '~' || *c == ']')
			return false;
	return true;
}

/* A spec that was checked, with what is stored of its texts. */
struct wanted {
	const struct token_spec *spec;
	struct scope_list scopes;
	char hash[TOKEN_HASH_ROOM];
};

static int check_spec(const struct token_spec *spec, struct scope_list *scopes, struct err *err)
{
	if (spec->value && !token_is_valid(spec->value))
		return err_set(err, ERR_INVALID,
			       "a token is \"hf_\" and 1 to 60 of A-Z, a-z, 0-9, _");
	if (spec->name && !name_is_plain(spec->name))
		return err_set(err, ERR_INVALID,
			       "a token's name is 1 to 96 printable ASCII characters without ]");
	if (scope_parse(spec->scopes, scopes, err) < 0)
		return -1;
	if (scopes->count > 0 && spec->role != AUTH_FINE_GRAINED)
		return err_set(err, ERR_INVALID, "only a fine-grained token has scopes");
	return 0;
}

/* The row of the current step is what is wanted. Errors: ERR_EXISTS where it is not. */
static int compare(struct store_db *db, struct store_query *q, const struct wanted *wanted,
		   struct err *err)
{
	const struct token_spec *spec = wanted->spec;
	struct scope_list scopes;

	if (scope_load(db, store_int(q, 0), &scopes, err) < 0)
		return -1;
	if (strcmp(store_text(q, 3), token_role_name(spec->role)) != 0 ||
	    (spec->name && strcmp(store_text(q, 2), spec->name) != 0) ||
	    !scope_equal(&scopes, &wanted->scopes))
		return err_set(err, ERR_EXISTS, "this token exists with other data");
	return 0;
}

/* Whether the imported value is there: 1 with the same data, 0 not at all. */
static int find_same(struct store_db *db, int64_t user_id, const struct wanted *wanted,
		     struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "SELECT id, user_id, name, role, revoked_ms IS NOT NULL FROM "
				"tokens WHERE hash = ?");

	store_bind_text(q, wanted->hash);
	int found = store_step(q, err);
	if (found <= 0)
		return found;
	if (store_int(q, 4))
		return err_set(err, ERR_EXISTS, "this token has been revoked");
	if (store_int(q, 1) != user_id)
		return err_set(err, ERR_EXISTS, "this token belongs to another user");
	return compare(db, q, wanted, err) < 0 ? -1 : 1;
}

static int add_row(struct store_db *db, int64_t user_id, const struct wanted *wanted,
		   struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "INSERT INTO tokens (user_id, hash, name, role, created_ms) "
				"VALUES (?, ?, ?, ?, ?)");
	char id[ID_HEX];
	char name[NAME_ROOM];

	random_id(id);
	snprintf(name, sizeof(name), "token-%.6s", id);
	if (wanted->spec->name)
		snprintf(name, sizeof(name), "%s", wanted->spec->name);
	store_bind_int(q, user_id);
	store_bind_text(q, wanted->hash);
	store_bind_text(q, name);
	store_bind_text(q, token_role_name(wanted->spec->role));
	store_bind_int(q, clock_wall_ms());
	if (store_step(q, err) < 0) {
		if (err->kind == ERR_EXISTS)
			err_set(err, ERR_EXISTS, "the user has a token named %s", name);
		return -1;
	}
	return scope_store(db, store_last_id(db), &wanted->scopes, err);
}

int token_add(struct store_db *db, int64_t user_id, const struct token_spec *spec,
	      char out[static TOKEN_ROOM], struct err *err)
{
	struct wanted wanted = {.spec = spec};
	char value[TOKEN_ROOM];

	if (check_spec(spec, &wanted.scopes, err) < 0)
		return -1;
	if (spec->value)
		snprintf(value, sizeof(value), "%s", spec->value);
	else
		token_mint(value);
	token_hash(value, wanted.hash);
	int found = find_same(db, user_id, &wanted, err);
	if (found < 0 || (found == 0 && add_row(db, user_id, &wanted, err) < 0))
		return -1;
	memcpy(out, value, sizeof(value));
	return found == 0;
}

int token_find(struct store_db *db, int64_t user_id, const char *name, int64_t *out,
	       struct err *err)
{
	owned(store_query_end) struct store_query *q = store_query(
		db, "SELECT id FROM tokens WHERE user_id = ? AND name = ? AND revoked_ms IS NULL");

	store_bind_int(q, user_id);
	store_bind_text(q, name);
	int found = store_step(q, err);
	if (found > 0)
		*out = store_int(q, 0);
	return found;
}

int token_revoke(struct store_db *db, int64_t token_id, struct err *err)
{
	owned(store_query_end) struct store_query *q = store_query(
		db, "UPDATE tokens SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL");

	store_bind_int(q, clock_wall_ms());
	store_bind_int(q, token_id);
	return store_step(q, err);
}
