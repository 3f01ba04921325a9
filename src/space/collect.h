#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "store/store.h"

/*
 * Collecting what nothing needs any more: layers, logs, what is left of repositories. Works beside
 * a running hub or without one, as the owner of the data directory.
 *
 * Layers. One is needed by the plan or the wish of a Space, by a run that is open, or by one that
 * ended less than `keep_s` ago (a day at most for the files of an app); and a young one is left
 * alone. To be collected is to get another name, "gone-…", inside of a transaction: whoever plans
 * with a layer writes a row first and looks for the layer after, so it is either seen here or
 * misses the layer and makes it anew. What has that name is removed later, by whoever may:
 * collect_sweep(). Several collections may work at once: each layer is one's.
 */
struct collect {
	struct store *store;
	const struct datadir *dir;
	int64_t keep_s;
};

/* Each returns in *count how many things it has put aside or removed. */
must_check int collect_layers(const struct collect *collect, size_t *count, struct err *err);
must_check int collect_logs(const struct collect *collect, size_t *count, struct err *err);
/* What creations and deletions of repositories have left when they were cut. */
must_check int collect_leftovers(const struct collect *collect, size_t *count, struct err *err);
/* Deleted repositories from which nobody borrows any more (repo/lend.h). */
must_check int collect_lenders(const struct collect *collect, size_t *count, struct err *err);
/* Every repository by repo/tidy.h; what one refuses is logged and keeps no other from its turn. */
must_check int collect_repositories(const struct collect *collect, int64_t *bytes, struct err *err);

/*
 * Remove the layers that were put aside: all as root, else those of the app alone (others belong to
 * users of containers). *bytes: what came free.
 */
must_check int collect_sweep(const struct datadir *dir, int64_t *bytes, struct err *err);
