#include "auth/scope.h"

#include <string.h>
#include <strings.h>

#define READ_WORD  "repo.read:"
#define WRITE_WORD "repo.write:"

/* "NS" or "NS/NAME", both valid. */
static bool name_fits(const char *name)
{
	char space[NAME_ROOM];
	size_t length = strcspn(name, "/");

	if (length >= sizeof(space))
		return false;
	memcpy(space, name, length);
	space[length] = '\0';
	return name_is_valid(space) && (!name[length] || name_is_valid(name + length + 1));
}

static int parse_one(const char *text, struct scope *out, struct err *err)
{
	size_t word = 0;

	out->may_write = strncmp(text, WRITE_WORD, strlen(WRITE_WORD)) == 0;
	if (out->may_write)
		word = strlen(WRITE_WORD);
	else if (strncmp(text, READ_WORD, strlen(READ_WORD)) == 0)
		word = strlen(READ_WORD);
	if (word == 0 || !name_fits(text + word))
		return err_set(err, ERR_INVALID,
			       "a scope is repo.read: or repo.write: and NS/NAME or NS, not %.200s",
			       text);
	snprintf(out->name, sizeof(out->name), "%s", text + word);
	return 0;
}

/* Keep the order; writing wins over reading of the same. Errors: ERR_INVALID if it is full. */
static int insert(struct scope_list *list, const struct scope *scope, struct err *err)
{
	unsigned at = 0;

	while (at < list->count && strcasecmp(list->items[at].name, scope->name) < 0)
		at++;
	if (at < list->count && strcasecmp(list->items[at].name, scope->name) == 0) {
		list->items[at].may_write |= scope->may_write;
		return 0;
	}
	if (list->count == SCOPE_MAX)
		return err_set(err, ERR_INVALID, "a token has at most %d scopes", SCOPE_MAX);
	memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof(*scope));
	list->items[at] = *scope;
	list->count++;
	return 0;
}

int scope_parse(const char *const *texts, struct scope_list *out, struct err *err)
{
	struct scope_list list = {0};

	for (size_t i = 0; texts && texts[i]; i++) {
		struct scope scope = {0};

		if (parse_one(texts[i], &scope, err) < 0 || insert(&list, &scope, err) < 0)
			return -1;
	}
	*out = list;
	return 0;
}

bool scope_equal(const struct scope_list *a, const struct scope_list *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (strcasecmp(a->items[i].name, b->items[i].name) != 0 ||
		    a->items[i].may_write != b->items[i].may_write)
			return false;
	return true;
}

static int store_one(struct store_db *db, int64_t token_id, const struct scope *scope,
		     struct err *err)
{
	owned(store_query_end) struct store_query *q = store_query(
		db, "INSERT INTO token_scopes (token_id, full_name, may) VALUES (?, ?, ?)");

	store_bind_int(q, token_id);
	store_bind_text(q, scope->name);
	store_bind_text(q, scope->may_write ? "write" : "read");
	return store_step(q, err);
}

int scope_store(struct store_db *db, int64_t token_id, const struct scope_list *list,
		struct err *err)
{
	for (unsigned i = 0; i < list->count; i++)
		if (store_one(db, token_id, &list->items[i], err) < 0)
			return -1;
	return 0;
}

int scope_load(struct store_db *db, int64_t token_id, struct scope_list *out, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "SELECT full_name, may FROM token_scopes WHERE token_id = ?");
	struct scope_list list = {0};
	int row;

	store_bind_int(q, token_id);
	while ((row = store_step(q, err)) > 0) {
		struct scope scope = {.may_write = strcmp(store_text(q, 1), "write") == 0};

		store_copy(q, 0, scope.name, sizeof(scope.name));
		if (insert(&list, &scope, err) < 0)
			return -1;
	}
	if (row < 0)
		return -1;
	*out = list;
	return 0;
}

static enum scope_reach reach_of(const struct scope *scope, const char *name)
{
	size_t length = strlen(scope->name);
	bool whole_namespace = !strchr(scope->name, '/');

	if (strncasecmp(scope->name, name, length) != 0)
		return SCOPE_NONE;
	if (whole_namespace && (name[length] == '/' || name[length] == '\0'))
		return scope->may_write ? SCOPE_MANAGE : SCOPE_READ;
	if (!whole_namespace && name[length] == '\0')
		return scope->may_write ? SCOPE_WRITE : SCOPE_READ;
	return SCOPE_NONE;
}

enum scope_reach scope_reach(const struct scope_list *list, const char *name)
{
	enum scope_reach most = SCOPE_NONE;

	for (unsigned i = 0; i < list->count; i++) {
		enum scope_reach reach = reach_of(&list->items[i], name);

		if (reach > most)
			most = reach;
	}
	return most;
}
