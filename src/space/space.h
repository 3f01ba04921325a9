#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "repo/repo.h"
#include "space/stage.h"
#include "store/store.h"

/*
 * A Space as rows: what is wanted of it (the wish) and what it shows (the stage). API threads write
 * wishes, in one transaction with the stage in transition that they lead to, so that a client that
 * polls at once sees it; space/loop.c makes them so.
 *
 * Units:   seconds for sleep times, -1 never. Wire: A2, A9, A10.
 */
enum { SPACE_FLAVOR_ROOM = 64, SPACE_ERROR_ROOM = 1024 };

struct space {
	int64_t repo_id;
	char hex[25];                 /* of its repository */
	char full_name[FULL_NAME_ROOM];
	char slug[64];                /* first label of its host name */
	char sdk[16];
	bool is_private;
	/* the wish */
	int64_t generation;           /* grows with each change of the wish */
	char commit[41];              /* head of main; "" before the first push */
	char flavor[SPACE_FLAVOR_ROOM];
	int64_t sleep_s;              /* -1 never */
	char storage[16];             /* "", small, medium, large */
	bool paused;
	int64_t restart_nonce;
	int64_t factory_nonce;
	/* the fact */
	enum stage stage;
	char error[SPACE_ERROR_ROOM]; /* errorMessage; "" for none */
	char current_flavor[SPACE_FLAVOR_ROOM]; /* "" while nothing runs */
	char running_commit[41];      /* "" while nothing runs */
	int64_t run_log;              /* number of the newest run-N.log, 0 for none */
	int64_t build_log;            /* number of the newest build-N.log */
};

/* Wishes that create_repo may bring along; all optional (Wire: A2). */
struct space_setup {
	const char *sdk;
	const char *flavor;           /* NULL: cpu-basic */
	const char *storage;          /* NULL: none */
	int64_t sleep_s;              /* 0: the default of the flavor */
	const json_t *secrets;        /* arrays of {key, value, description?}, or NULL */
	const json_t *variables;
	const json_t *volumes;
};

/* Check a setup before anything is written. Errors: ERR_INVALID that names the field. */
must_check int space_setup_check(const struct space_setup *setup, struct err *err);

/* Add the row of a new Space, with its slug. */
must_check int space_add(struct store_db *db, const struct repo *repo,
			 const struct space_setup *setup, struct err *err);

/* 1 found, 0 none, -1 failed. */
must_check int space_get(struct store_db *db, int64_t repo_id, struct space *out, struct err *err);
must_check int space_by_slug(struct store_db *db, const char *slug, struct space *out,
			     struct err *err);

/* A push moved main to `commit`: new wish, stage BUILDING or RUNNING_BUILDING. */
must_check int space_pushed(struct store_db *db, int64_t repo_id, const char *commit,
			    struct err *err);
/* Restart, or build anew where `factory`; ends a pause. */
must_check int space_restart(struct store_db *db, int64_t repo_id, bool factory, struct err *err);
/* The repository is about to go: stage DELETING; the loop stops its runs and forgets the row. */
must_check int space_delete(struct store_db *db, int64_t repo_id, struct err *err);

/*
 * The object of GET …/runtime (Wire: A10). `domain` and `port_suffix` build `domains`.
 */
json_t *space_runtime_json(const struct space *space, const char *host);
