#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/name.h"
#include "base/own.h"
#include "store/store.h"

/*
 * What a fine-grained token is for: repositories and whole namespaces, to read or to write. Public
 * repositories need no scope. Names are not tied to what has them: a scope may come before its
 * repository, covers model, dataset and Space of that name, and follows no rename.
 */
enum { SCOPE_MAX = 64 };

struct scope {
	char name[FULL_NAME_ROOM]; /* "NS/NAME", or "NS" for all that is and will be in it */
	bool may_write;            /* reads too */
};

/* No name is there twice; in the order of their names. */
struct scope_list {
	unsigned count;
	struct scope items[SCOPE_MAX];
};

/*
 * From texts such as "repo.read:NS/NAME", "repo.write:NS"; NULL-terminated, NULL for none. Of two
 * for one name, writing wins. Errors: ERR_INVALID that quotes the text.
 */
must_check int scope_parse(const char *const *texts, struct scope_list *out, struct err *err);
bool scope_equal(const struct scope_list *a, const struct scope_list *b);

/* Kept with a token; its row is there and has none yet. */
must_check int scope_store(struct store_db *db, int64_t token_id, const struct scope_list *list,
			   struct err *err);
must_check int scope_load(struct store_db *db, int64_t token_id, struct scope_list *out,
			  struct err *err);

/* How far a list reaches; each includes those before it. */
enum scope_reach {
	SCOPE_NONE,
	SCOPE_READ,
	SCOPE_WRITE,  /* contents and the run of a Space */
	SCOPE_MANAGE, /* create, delete, settings: writing in a whole namespace */
};

/* `name` is that of a repository, "NS/NAME", or of a namespace, "NS". */
enum scope_reach scope_reach(const struct scope_list *list, const char *name);
