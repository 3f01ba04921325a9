#pragma once

#include "base/err.h"
#include "base/own.h"
#include "http/http.h"

/*
 * The routing table, compiled once: finds the row for a raw path and cuts the parameters out of it,
 * which are decoded only then, since clients send `refs%2Fpr%2F1` as one segment (Wire: 0.1). The
 * patterns are described at struct http_route. A parameter may have a literal behind it in its
 * segment: "/datasets/{id}.git/info/lfs/objects/batch".
 *
 * Threads: a router doesn't change; any number may ask it.
 */
struct router;

enum { ROUTER_PARAM_MAX = 6 };

struct router_param {
	const char *name; /* the router's */
	char *value;
};

struct router_match {
	const struct http_route *route;
	size_t count;
	struct router_param params[ROUTER_PARAM_MAX];
};

#define ROUTER_MATCH_INIT ((struct router_match){0})

/* The table must live as long as the router. A pattern that is malformed is our own mistake. */
struct router *router_new(const struct http_route *routes, size_t count);
void router_free(struct router *router);
DEFINE_OWNED(struct router *, router_free);

/*
 * Find the row for a path without its query.
 * Errors: ERR_NO_ROUTE; ERR_INVALID where a parameter has a broken %XX or is no UTF-8.
 */
must_check int router_find(const struct router *router, enum http_method method, const char *path,
			   struct router_match *out, struct err *err);
void router_match_done(struct router_match *match);
static inline void own_router_match_done(struct router_match *held)
{
	router_match_done(held);
}
