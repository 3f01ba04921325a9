#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"
#include "store/store.h"

/*
 * Rows about runs: written before an engine is asked for a run, so that a hub that is killed at any
 * moment finds all that it had started. What an app's run uses is counted in the same
 * transactions, by space/ledger.h.
 *
 * Units: milliseconds of the wall clock; 0 for "not yet".
 */
struct runrow {
	int64_t id;
	char key[ENGINE_KEY_ROOM];
	enum engine_kind kind;
	int64_t repo_id;
	int64_t generation;
	int64_t restart_nonce;
	char commit[41];
	char flavor[64];
	int64_t price; /* of that flavor, micro-USD for a minute, when the run was made */
	char env_layer[48];
	int64_t log; /* number of its log file */
	int64_t created_ms;
	int64_t started_ms;
	int64_t ready_ms;
	int64_t slept_ms; /* it sleeps since then; what ends a sleep sets it to 0 */
	int64_t ended_ms;
};

/* Why a run ended that the engine knows nothing of; it is no fault of the app. */
#define RUNROW_LOST "lost"

/* Add a run; its id is filled in. Errors: ERR_EXISTS while a run of this key is open. */
must_check int runrow_add(struct store_db *db, struct runrow *row, struct err *err);

/* Open runs of a Space's app, oldest first. */
must_check int runrow_each_open(struct store_db *db, int64_t repo_id,
				void (*each)(void *arg, const struct runrow *row), void *arg,
				struct err *err);
/* The open run of a key. 1 found, 0 none, -1 failed. */
must_check int runrow_open(struct store_db *db, const char *key, struct runrow *out,
			   struct err *err);

must_check int runrow_started(struct store_db *db, const struct runrow *row, int64_t at_ms,
			      struct err *err);
must_check int runrow_ready(struct store_db *db, const struct runrow *row, int64_t at_ms,
			    struct err *err);
/* It falls asleep, and is not counted until it wakes. For one that sleeps, or is awake, nothing
 * changes. */
must_check int runrow_slept(struct store_db *db, const struct runrow *row, struct err *err);
must_check int runrow_woken(struct store_db *db, const struct runrow *row, struct err *err);
/* Where the reason is RUNROW_LOST, the end is when it was last seen, and `at_ms` doesn't count. */
must_check int runrow_ended(struct store_db *db, const struct runrow *row, int64_t at_ms,
			    int exit_status, const char *reason, struct err *err);

/* How a generation of a Space's app has fared: runs so far, and crashes since a time. An end in
 * sleep is none. */
struct runrow_history {
	int64_t runs;
	int64_t crashes;
	int64_t last_crash_ms;
};
must_check int runrow_history(struct store_db *db, int64_t repo_id, int64_t generation,
			      int64_t since_ms, struct runrow_history *out, struct err *err);
