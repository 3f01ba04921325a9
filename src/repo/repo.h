#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/name.h"
#include "base/own.h"
#include "store/store.h"

/*
 * Repositories as rows: the name, owner, visibility and id of each. The id (24 hex) names the bare
 * git repository repos/ID.git, so that a rename touches one row. What is inside is repo/git.h.
 *
 * Wire: A2, A3, A6.
 */
enum repo_type { REPO_MODEL, REPO_DATASET, REPO_SPACE };

struct repo {
	int64_t id;   /* row */
	char hex[25]; /* id on the wire and on the disk */
	enum repo_type type;
	int64_t owner_id;      /* account */
	char owner[NAME_ROOM]; /* its name */
	char name[NAME_ROOM];
	char full_name[FULL_NAME_ROOM];
	bool is_private;   /* not for everybody to read: private and protected ones */
	bool is_protected; /* Spaces: is_private too, but everybody may visit the app */
	char gated[8];     /* "", auto, manual: how requests for access are answered */
	int64_t creator_id;
	int64_t created_ms;
	int64_t modified_ms; /* of the newest commit */
	char sdk[16];        /* Spaces: gradio, streamlit, docker, static; else "" */
};

/* "model" / "models" / "" ; "dataset" / "datasets" / "datasets/" ; "space" / "spaces" / "spaces/".
 */
const char *repo_type_name(enum repo_type type);
const char *repo_type_plural(enum repo_type type);
const char *repo_type_prefix(enum repo_type type);
/* From "model" or NULL, "dataset", "space". Errors: ERR_INVALID. */
must_check int repo_type_parse(const char *text, enum repo_type *out, struct err *err);

/* 1 found (names compare without case, as on the real Hub), 0 none, -1 failed. */
must_check int repo_find(struct store_db *db, enum repo_type type, const char *full_name,
			 struct repo *out, struct err *err);
/* The repository that had this name before, and may have another since. As repo_find(). */
must_check int repo_find_moved(struct store_db *db, enum repo_type type, const char *full_name,
			       struct repo *out, struct err *err);
must_check int repo_by_id(struct store_db *db, int64_t id, struct repo *out, struct err *err);

/*
 * For other queries over `repos r JOIN accounts a ON a.id = r.owner_id`: the columns of a
 * repository, and how they are read when they are a row's first.
 */
#define REPO_COLUMNS                                                                   \
	"r.id, r.hex, r.type, r.owner_id, a.name, r.name, r.is_private, r.creator_id," \
	" r.created_ms, r.modified_ms, r.sdk, r.is_protected, r.gated"
enum { REPO_COLUMN_COUNT = 13 };
must_check int repo_read(struct store_query *query, struct repo *out, struct err *err);

/* Repositories of an owner by type, of those that a condition over rows of `repos r` lets pass. */
struct repo_counts {
	int64_t of[REPO_SPACE + 1];
};
must_check int repo_count(struct store_db *db, int64_t owner_id,
			  const struct store_condition *visible, struct repo_counts *out,
			  struct err *err);

/* Add the row: needs type, owner_id, owner, name, is_private, is_protected, creator_id,
 * sdk; fills the rest.
 * Errors: ERR_EXISTS. */
must_check int repo_add(struct store_db *db, struct repo *repo, struct err *err);
/*
 * Store another owner_id, owner and name; full_name becomes theirs. The old name leads to it until
 * that is given anew. Errors: ERR_EXISTS.
 */
must_check int repo_move(struct store_db *db, struct repo *repo, struct err *err);
/* Store is_private, is_protected and gated. */
must_check int repo_set_access(struct store_db *db, const struct repo *repo, struct err *err);
must_check int repo_remove(struct store_db *db, int64_t id, struct err *err);
must_check int repo_touch(struct store_db *db, int64_t id, int64_t modified_ms, struct err *err);
