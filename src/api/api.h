#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/kept.h"
#include "base/own.h"
#include "http/http.h"
#include "repo/catalogue.h"
#include "repo/shelf.h"
#include "space/hardware.h"
#include "space/vault.h"
#include "store/store.h"

/*
 * The Hub's HTTP API: routes for http/http.h, from the one table routes.def. Each row says who may
 * call it; the question is asked once, before the call's function runs.
 *
 * Threads: an api is read only after api_new(); its calls run in the threads of the HTTP server.
 * Wire:    0, A, B.
 */
struct api;
struct watch; /* api/watch.h */

struct api_config {
	struct store *store;
	const struct datadir *dir;       /* where repos/ID.git lie; kept by reference */
	struct catalogue *catalogue;     /* kept by reference, as the store is */
	const struct vault *vault;       /* seals the secrets of new Spaces; kept by reference */
	const char *domain;              /* Spaces are SLUG.domain; kept by reference */
	int64_t sleep_min_s;             /* the smallest sleep time that is accepted */
	const struct hardware *hardware; /* what Spaces can ask for; kept by reference */
	bool grants;                     /* … and only who was granted it may */
	char *const *templates;          /* full names of Spaces, NULL-terminated; NULL for none */
	struct watch *watch;             /* who watches Spaces; kept by reference */
	/* A Space's wish has changed: look at it soon. From any thread; must not block. */
	void (*wake)(void *arg, int64_t repo_id);
	void *arg;

	int64_t quota_api; /* requests that one user or address may make in five minutes; 0: any */
	int64_t quota_resolvers;
	int64_t quota_pages;

	/* Made by api_new(); whoever calls it leaves them out. */
	struct quota *quota;
	struct shelf *shelf; /* open repositories */
	struct kept *kept;   /* bodies of answers that can't change, such as a commit's tree */
	struct history_memory *histories; /* the order of commits */
};

/* `config` is copied. */
struct api *api_new(const struct api_config *config);
void api_free(struct api *api);
DEFINE_OWNED(struct api *, api_free);

/* The rows for http_config; they live as long as the api. */
const struct http_route *api_routes(const struct api *api, size_t *count);

/* For http_config: errors as Wire 0.4 has them, and the headers that every answer carries. */
void api_fail(const struct http_request *request, const struct err *err,
	      struct http_answer *answer);
void api_finish(const struct http_request *request, struct http_answer *answer);
