#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "route/layout.h"

/*
 * The hub's side of run/routes: its only writer of entries, and the reader of the counters.
 * The table outlives the hub; on opening, odd entries left by a crash are repaired to ROUTE_ASK.
 * A table of another layout version is replaced by an empty one: workers that still map the old one
 * keep it until nginx is started anew.
 * Threads: one at a time (the space loop).
 */
struct route;

/*
 * Open DIR/run/routes, or make it, mode 0660 and of group `www`. Making it needs the right to give
 * a file to that group.
 */
must_check int route_open(const char *path, unsigned www, struct route **out, struct err *err);
void route_close(struct route *route);
DEFINE_OWNED(struct route *, route_close);

/*
 * Make or change the entry of a slug, in one store as seen by workers. The address
 * counts with ROUTE_RUNNING only; another one than before is on the next side. Errors:
 * ERR_FULL; ERR_INVALID for a slug that is no DNS label.
 */
must_check int route_set(struct route *route, const char *slug, enum route_state state,
			 enum route_access access, uint32_t address, uint16_t port,
			 struct err *err);

/* Forget a slug; no error if it is unknown. */
void route_remove(struct route *route, const char *slug);

/*
 * requests, bytes count from the start of the workers that live now: a worker's end takes its share
 * away. So look for change, not for growth.
 */
struct route_usage {
	uint64_t requests;
	uint64_t open;
	uint64_t sockets; /* part of `open`: WebSockets; never more than those */
	uint64_t bytes;
	uint64_t activity_ms;
	uint64_t opening;   /* part of `open`: their answers tell the client what to ask for next */
	uint64_t opened_ms; /* when the last such answer was given */
};

/* Sum of the rows of living workers. False if the slug has no entry. */
bool route_usage(struct route *route, const char *slug, struct route_usage *out);

/*
 * How many visits are open at an address that the slug has, or had ROUTE_SIDES addresses ago at
 * most.
 *
 * "Route before stop, stop after route": after route_set() to a new address, the run at the old one
 * may be stopped without losing a request as soon as nobody is there.
 */
uint64_t route_open_at(struct route *route, const char *slug, uint32_t address, uint16_t port);
