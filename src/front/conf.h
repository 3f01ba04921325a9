#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * The configuration of nginx: nginx.conf.in, filled in. It is static: Spaces come and go in
 * run/routes, so nginx is never reloaded for one.
 *
 * Who starts nginx passes its listening sockets in the environment (NGINX="3;4;"); nginx finds each
 * one's `listen` line by its address, so `listen` and `gateway` must be what the sockets are bound
 * to. nginx -c DIR/run/nginx.conf -p DIR/run/nginx/ runs in the foreground.
 */
struct front_conf {
	const char *data;          /* the data directory, absolute */
	const char *const *listen; /* "127.0.0.1:8080", "[::1]:8080" */
	size_t listen_count;
	const char *gateway; /* the same on the bridge of the Spaces; NULL: none */
	const char *domain;  /* Spaces are SLUG.domain, besides SLUG.hub.espace */
	const char *module;  /* path of espace_front.so */
	const char *user;    /* of the workers */
	const char *group;
	unsigned workers;     /* at most FRONT_WORKERS_MAX */
	unsigned connections; /* of visitors at once, all workers together */
	uint64_t body_max;    /* bytes of the longest body that the hub takes … */
	uint64_t commit_max;  /* … and of a commit, with its files */
};

/* The route table has 64 rows: old workers may still drain while as many new ones start. */
enum { FRONT_WORKERS_MAX = 32 };

/* Visitors that have a connection at once: measured at some 30 KB each (an open WebSocket). */
enum { FRONT_CONNECTIONS_DEFAULT = 10000 };

/*
 * Write DIR/run/nginx.conf, and make DIR/run/nginx/ for nginx's own files.
 * Errors: ERR_INVALID names what cannot stand in a configuration.
 */
must_check int front_conf_write(const struct front_conf *conf, struct err *err);
