#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/name.h"
#include "base/own.h"
#include "repo/repo.h"
#include "space/stage.h"
#include "store/store.h"

/*
 * A Space as rows: what is wanted of it (the wish) and what it shows (the stage). API threads write
 * wishes (the small ones by space/wish.h), in one transaction with the stage in transition that
 * they lead to, so that a client that polls at once sees it; space/loop.c makes them so.
 *
 * Units:   seconds for sleep times, -1 never. Wire: A2, A9, A10.
 */
enum {
	SPACE_FLAVOR_ROOM = 64,
	SPACE_ERROR_ROOM = 1024,
	SPACE_SLEEP_DEFAULT_S = 48 * 3600, /* of cpu-basic, and not to be changed there */
	SPACE_SLEEP_MIN_S = 1,             /* what makes sense is said by the setting sleep.min */
	SPACE_SLEEP_MAX_S = 10 * 365 * 24 * 3600,
};

struct hardware_flavor; /* space/hardware.h */
struct vault;           /* space/vault.h */

/* What the repository says about building and starting, once it was read. */
struct space_plan {
	char commit[41]; /* that it was read from; "" for none yet */
	int64_t factory; /* factory_nonce that the environment was named for */
	char env_layer[48];
	char env_cache[25]; /* "shared", or the owner */
	char env_own[48];   /* the layer to make if a shared one can't be */
	char sdk[16];       /* what runs it; the card's, or the repository's */
	char app_file[NAME_PATH_MAX + 1];
	uint16_t app_port;
	char title[256];
	int64_t startup_s;
	bool closed; /* the card wants no calls to the outside */
};

struct space {
	int64_t repo_id;
	char hex[25]; /* of its repository */
	char full_name[FULL_NAME_ROOM];
	char slug[64];      /* first label of its host name */
	char left_slug[64]; /* one that it had before and may still have a route; "" for none */
	char owner_hex[25]; /* of the repository's owner */
	char creator_hex[25];
	char sdk[16];
	bool is_private; /* nobody may visit the app; of a protected one everybody may */
	/* the wish */
	int64_t generation; /* grows with each change of the wish */
	char commit[41];    /* head of main; "" before the first push */
	char flavor[SPACE_FLAVOR_ROOM];
	int64_t sleep_s;  /* -1 never */
	char storage[16]; /* "", small, medium, large */
	bool paused;
	bool deleting;
	int64_t restart_nonce; /* a run with another one is stopped at once */
	int64_t factory_nonce;
	int64_t settles_ms; /* wall clock of a change that others may follow at once; 0 for none */
	int64_t data_drops; /* how often the storage was given up, with all that was in it */
	/* the fact */
	enum stage stage;
	char error[SPACE_ERROR_ROOM]; /* errorMessage; "" for none */
	/* Of the newest run whose process was started; "" where none is to follow its end. */
	char current_flavor[SPACE_FLAVOR_ROOM];
	char running_commit[41]; /* "" while nothing runs */
	int64_t run_log;         /* number of the newest run-N.log, 0 for none */
	int64_t build_log;       /* number of the newest build-N.log */
	int64_t settled;         /* generation that nothing is left to do for */
	int64_t data_dropped;    /* the disk of that many data_drops is gone */
	uint64_t data_bytes;     /* of the disk that a run has had; 0: there is none to miss */
	char depth[16];          /* how deep it sleeps (space/idle.h); "" awake */
	int64_t wake_ms; /* how long the visitor has waited who woke it last; 0 for nobody */
	struct space_plan plan;
};

/* -1, or a reasonable number of seconds? Errors: ERR_INVALID. */
must_check int space_sleep_check(int64_t seconds, struct err *err);
/* The sleep time of a flavor, where a call asks for `wanted_s`; 0 if it doesn't ask. */
int64_t space_sleep_of(const char *flavor, int64_t wanted_s);

enum { SPACE_TIERS = 3 }; /* of storage: small, medium, large */
/* 0 for "", then 1 for small, 2, 3; -1 for what is no tier. */
int space_storage_rank(const char *tier);

/* Wishes that create_repo may bring along; all optional (Wire: A2). */
struct space_setup {
	const char *sdk;
	const struct hardware_flavor *flavor; /* NULL: cpu-basic */
	const char *storage;                  /* NULL: none */
	int64_t sleep_s;                      /* 0: the default of the flavor */
	const json_t *secrets;                /* arrays of {key, value, description?}, or NULL */
	const json_t *variables;
	const json_t *volumes;
	const struct vault *vault; /* seals the secrets; needed where there are any */
};

/* Check a setup before anything is written. Errors: ERR_INVALID that names the field. */
must_check int space_setup_check(const struct space_setup *setup, struct err *err);

/* Add the row of a new Space, with its slug. */
must_check int space_add(struct store_db *db, const struct repo *repo,
			 const struct space_setup *setup, struct err *err);

/* 1 found, 0 none, -1 failed. */
must_check int space_get(struct store_db *db, int64_t repo_id, struct space *out, struct err *err);
/* The same where it must be there. Errors: ERR_NO_REPO. */
must_check int space_need(struct store_db *db, int64_t repo_id, struct space *out, struct err *err);
must_check int space_by_slug(struct store_db *db, const char *slug, struct space *out,
			     struct err *err);

/*
 * Write a changed wish with the stage that an event leads to: a new generation. For who makes
 * wishes: this file and space/wish.h.
 */
must_check int space_write_wish(struct store_db *db, const struct space *space,
				enum stage_event event, bool serves, struct err *err);

/*
 * A push moved main to `commit`: new wish, stage BUILDING or RUNNING_BUILDING. The commit that is
 * the wish already changes nothing. Errors of these three: ERR_NO_REPO.
 */
must_check int space_pushed(struct store_db *db, int64_t repo_id, const char *commit,
			    struct err *err);
/* Restart, or build anew where `factory`; ends a pause. */
must_check int space_restart(struct store_db *db, int64_t repo_id, bool factory, struct err *err);
/* Who may visit the app is said by the repository. No wish: nothing starts anew. */
must_check int space_set_access(struct store_db *db, const struct repo *repo, struct err *err);
/* The repository has another name or owner. No wish: the app goes on, by another host name. */
must_check int space_move(struct store_db *db, const struct repo *repo, struct err *err);
/* The repository is about to go: stage DELETING; the loop stops its runs and forgets the row. */
must_check int space_delete(struct store_db *db, int64_t repo_id, struct err *err);

/* Some version answers visitors now. */
must_check int space_serves(struct store_db *db, int64_t repo_id, bool *out, struct err *err);

/* Every Space, those on their way out as well. */
must_check int space_each(struct store_db *db, void (*each)(void *arg, int64_t repo_id), void *arg,
			  struct err *err);

/* Spaces whose plan, made for the wish of now, names this environment and that are not settled. */
must_check int space_each_waiting(struct store_db *db, const char *env_layer,
				  void (*each)(void *arg, int64_t repo_id), void *arg,
				  struct err *err);

/* Does any Space but this one, and none on its way out, have this environment? */
must_check int space_shares(struct store_db *db, int64_t repo_id, const char *env_layer, bool *out,
			    struct err *err);

/* What the space loop alone may write: the fact, and the plan. */
must_check int space_set_stage(struct store_db *db, const struct space *space, enum stage stage,
			       const char *error, struct err *err);
/* Nothing is left to do for the generation that `space` was read with; newer wishes go on. */
must_check int space_settle(struct store_db *db, const struct space *space, struct err *err);
must_check int space_set_plan(struct store_db *db, int64_t repo_id, const struct space_plan *plan,
			      struct err *err);
/* Is a run to be there, for what was wished last? */
bool space_wants_run(const struct space *space);
/* "" for a flavor or commit: nothing runs. */
must_check int space_set_current(struct store_db *db, int64_t repo_id, const char *flavor,
				 const char *commit, struct err *err);
/* The route of a left_slug is gone. */
must_check int space_forget_slug(struct store_db *db, const char *slug, struct err *err);
/* A run has a disk of this size. */
must_check int space_set_data(struct store_db *db, int64_t repo_id, uint64_t bytes,
			      struct err *err);
/* The disk of this many data_drops is gone. */
must_check int space_set_dropped(struct store_db *db, int64_t repo_id, int64_t drops,
				 struct err *err);
/* How deep it sleeps, and how long the last visitor of a sleeping Space has waited. */
must_check int space_set_depth(struct store_db *db, int64_t repo_id, const char *depth,
			       struct err *err);
must_check int space_set_wake(struct store_db *db, int64_t repo_id, int64_t wake_ms,
			      struct err *err);
/* One that sleeps and was stopped is to start; where it no longer sleeps, nothing changes. */
must_check int space_rise(struct store_db *db, int64_t repo_id, struct err *err);
/* A new number for a log of the Space. */
must_check int space_next_build_log(struct store_db *db, int64_t repo_id, int64_t *out,
				    struct err *err);
must_check int space_next_run_log(struct store_db *db, int64_t repo_id, int64_t *out,
				  struct err *err);
/* The last trace goes, with secrets, variables and runs. */
must_check int space_remove(struct store_db *db, int64_t repo_id, struct err *err);

/*
 * The object of GET …/runtime (Wire: A10). `host` is the Space's host name with its port, for
 * `domains`. Belongs to the caller.
 */
json_t *space_runtime_json(const struct space *space, const char *host);
