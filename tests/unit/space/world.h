#pragma once

#include "base/err.h"
#include "repo/repo.h"
#include "space/hardware.h"
#include "space/space.h"
#include "space/vault.h"
#include "store/store.h"

/* A data directory with a store, a vault and an owner, for tests of Spaces. */
struct world {
	char *path;
	struct store *store;
	struct vault *vault;
	struct hardware *hardware; /* as on a large machine */
};

struct world *world_new(void);
void world_free(struct world *world);

/* Fail the test where `result` is negative. */
void world_ok(int result, const struct err *err);

/* Run statements in a transaction. */
struct store_tx *world_begin(struct world *world);
void world_commit(struct store_tx *tx);

/* The repository and the row of a Space "me/NAME"; each has its own id. */
struct repo world_repo(const char *name);
struct repo world_space(struct world *world, const char *name);
struct space world_get(struct world *world, int64_t repo_id);
