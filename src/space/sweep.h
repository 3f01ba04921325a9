#pragma once

#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "repo/catalogue.h"
#include "store/store.h"

/*
 * Sweep: once after the start, brings up to date what lists show of repositories whose main is not
 * what their rows say, and tells their Spaces: a kill -9 came between the branch and the rows, or a
 * repository is older than such rows. It compares the files of the branches with the rows, and
 * opens only what differs. Before, it lets the catalogue learn, so that no caller waits for that.
 *
 * Threads: one of its own, which holds neither a connection of the store nor a lock for long.
 */
struct sweep;

struct sweep_config {
	struct store *store;         /* these are kept by reference */
	struct catalogue *catalogue; /* NULL: none to prepare */
	const struct datadir *dir;
	/* A Space's wish has changed. From the sweep's thread; must not block. */
	void (*wake)(void *arg, int64_t repo_id);
	void *arg;
};

/* `config` is copied. */
must_check int sweep_start(const struct sweep_config *config, struct sweep **out, struct err *err);
/* Stop where it is, and wait for that. Takes NULL. */
void sweep_stop(struct sweep *sweep);
DEFINE_OWNED(struct sweep *, sweep_stop);

/*
 * Do it all in this thread. What one repository refuses is logged and keeps no other from its turn.
 * *written: repositories whose rows were behind.
 */
must_check int sweep_all(const struct sweep_config *config, int64_t *written, struct err *err);
