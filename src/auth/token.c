#include "auth/token.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

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

/* "namespace/name", both valid. */
static bool scope_is_valid(const char *scope)
{
	char space[NAME_ROOM];
	const char *slash = strchr(scope, '/');

	if (!slash || (size_t)(slash - scope) >= sizeof(space))
		return false;
	memcpy(space, scope, (size_t)(slash - scope));
	space[slash - scope] = '\0';
	return name_is_valid(space) && name_is_valid(slash + 1);
}

static size_t count_scopes(const struct token_spec *spec)
{
	size_t count = 0;

	while (spec->scopes && spec->scopes[count])
		count++;
	return count;
}

static int check_spec(const struct token_spec *spec, struct err *err)
{
	size_t count = count_scopes(spec);

	if (spec->value && !token_is_valid(spec->value))
		return err_set(err, ERR_INVALID,
			       "a token is \"hf_\" and 1 to 60 of A-Z, a-z, 0-9, _");
	if (spec->name && !name_is_plain(spec->name))
		return err_set(err, ERR_INVALID,
			       "a token's name is 1 to 96 printable ASCII characters without ]");
	if (count > 0 && spec->role != AUTH_FINE_GRAINED)
		return err_set(err, ERR_INVALID, "only a fine-grained token has scopes");
	if (count > AUTH_SCOPES_MAX)
		return err_set(err, ERR_INVALID, "a token has at most %d scopes", AUTH_SCOPES_MAX);
	for (size_t i = 0; i < count; i++)
		if (!scope_is_valid(spec->scopes[i]))
			return err_set(err, ERR_INVALID, "no name of a repository: %.200s",
				       spec->scopes[i]);
	return 0;
}

/* 1 if the token has this scope. */
static int has_scope(struct store_db *db, int64_t token_id, const char *scope, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "SELECT 1 FROM token_scopes WHERE token_id = ? AND full_name = ?");

	store_bind_int(q, token_id);
	store_bind_text(q, scope);
	return store_step(q, err);
}

static int count_stored(struct store_db *db, int64_t token_id, int64_t *out, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "SELECT count(*) FROM token_scopes WHERE token_id = ?");

	store_bind_int(q, token_id);
	if (store_step(q, err) < 0)
		return -1;
	*out = store_int(q, 0);
	return 0;
}

/* 1 if the token has these scopes and no other. A name may be listed twice. */
static int same_scopes(struct store_db *db, int64_t token_id, const struct token_spec *spec,
		       struct err *err)
{
	size_t count = count_scopes(spec);
	int64_t stored = 0;
	int64_t distinct = 0;

	for (size_t i = 0; i < count; i++) {
		bool seen = false;
		int has = has_scope(db, token_id, spec->scopes[i], err);

		if (has <= 0)
			return has;
		for (size_t j = 0; j < i && !seen; j++)
			seen = strcasecmp(spec->scopes[i], spec->scopes[j]) == 0;
		distinct += !seen;
	}
	if (count_stored(db, token_id, &stored, err) < 0)
		return -1;
	return stored == distinct;
}

/* Whether the imported value is there: 1 with the same data, 0 not at all. */
static int find_same(struct store_db *db, int64_t user_id, const struct token_spec *spec,
		     const char *hash, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "SELECT id, user_id, name, role, revoked_ms IS NOT NULL FROM "
				"tokens WHERE hash = ?");

	store_bind_text(q, hash);
	int found = store_step(q, err);
	if (found <= 0)
		return found;
	if (store_int(q, 4))
		return err_set(err, ERR_EXISTS, "this token has been revoked");
	if (store_int(q, 1) != user_id)
		return err_set(err, ERR_EXISTS, "this token belongs to another user");
	bool same = strcmp(store_text(q, 3), token_role_name(spec->role)) == 0 &&
		    (!spec->name || strcmp(store_text(q, 2), spec->name) == 0);
	int scopes = same ? same_scopes(db, store_int(q, 0), spec, err) : 0;
	if (scopes < 0)
		return -1;
	if (scopes == 0)
		return err_set(err, ERR_EXISTS, "this token exists with other data");
	return 1;
}

static int add_row(struct store_db *db, int64_t user_id, const struct token_spec *spec,
		   const char *hash, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "INSERT INTO tokens (user_id, hash, name, role, created_ms) "
				"VALUES (?, ?, ?, ?, ?)");
	char id[ID_HEX];
	char name[NAME_ROOM];

	random_id(id);
	snprintf(name, sizeof(name), "token-%.6s", id);
	store_bind_int(q, user_id);
	store_bind_text(q, hash);
	store_bind_text(q, spec->name ? spec->name : name);
	store_bind_text(q, token_role_name(spec->role));
	store_bind_int(q, clock_wall_ms());
	if (store_step(q, err) < 0) {
		if (err->kind == ERR_EXISTS)
			err_set(err, ERR_EXISTS, "the user has a token named %s",
				spec->name ? spec->name : name);
		return -1;
	}
	return 0;
}

static int add_scope(struct store_db *db, int64_t token_id, const char *scope, struct err *err)
{
	owned(store_query_end) struct store_query *q = store_query(
		db, "INSERT OR IGNORE INTO token_scopes (token_id, full_name) VALUES (?, ?)");

	store_bind_int(q, token_id);
	store_bind_text(q, scope);
	return store_step(q, err);
}

int token_add(struct store_db *db, int64_t user_id, const struct token_spec *spec,
	      char out[static TOKEN_ROOM], struct err *err)
{
	char value[TOKEN_ROOM];
	char hash[TOKEN_HASH_ROOM];

	if (check_spec(spec, err) < 0)
		return -1;
	if (spec->value)
		snprintf(value, sizeof(value), "%s", spec->value);
	else
		token_mint(value);
	token_hash(value, hash);
	int found = find_same(db, user_id, spec, hash, err);
	if (found < 0)
		return -1;
	if (found == 0) {
		if (add_row(db, user_id, spec, hash, err) < 0)
			return -1;
		int64_t id = store_last_id(db);
		for (size_t i = 0; spec->scopes && spec->scopes[i]; i++)
			if (add_scope(db, id, spec->scopes[i], err) < 0)
				return -1;
	}
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
