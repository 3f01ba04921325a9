#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "route/layout.h"

/*
 * The hub's side of run/routes: its only writer of entries, and the reader of the counters.
 * The table outlives the hub; on opening, odd entries left by a crash are repaired to ROUTE_ASK.
 * Threads: one at a time (the space loop).
 */
struct route;

/* Open DIR/run/routes, or make it, mode 0660 and of group `www`. */
must_check int route_open(const char *path, unsigned www, struct route **out, struct err *err);
void route_close(struct route *route);
DEFINE_OWNED(struct route *, route_close);

/* Make or change the entry of a slug, in one store as seen by workers. Errors: ERR_FULL. */
must_check int route_set(struct route *route, const char *slug, enum route_state state,
			 enum route_access access, uint32_t address, uint16_t port, struct err *err);

/* Forget a slug; no error if it is unknown. */
void route_remove(struct route *route, const char *slug);

struct route_usage {
	uint64_t requests;
	uint64_t open;
	uint64_t bytes;
	uint64_t activity_ms;
};

/* Sum of the rows of living workers. False if the slug has no entry. */
bool route_usage(struct route *route, const char *slug, struct route_usage *out);
