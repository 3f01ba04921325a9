#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "space/space.h"
#include "space/vault.h"
#include "store/store.h"

/*
 * The environment of an app: what the platform says, then the Space's variables and secrets, which
 * win over it, except over SPACE_*.
 *
 * Wire: L1.
 */
struct appenv {
	char **vars; /* NAME=value, NULL-terminated */
	size_t count;
	size_t secrets_from; /* the Space's secrets are the last ones, from this one on */
};

#define APPENV_INIT ((struct appenv){0})

struct appenv_facts {
	const char *host;    /* public host name, with its port */
	const char *hub_url; /* as seen by the app */
	uint32_t cpu_milli;
	uint64_t memory_bytes;
	const char *accelerator; /* flavor that gives one; NULL: none, or a simulated one */
	bool has_data;           /* there is a /data that outlives the run */
};

/* Errors: ERR_INVALID for a secret that doesn't open. */
must_check int appenv_make(struct store_db *db, const struct vault *vault,
			   const struct space *space, const struct appenv_facts *facts,
			   struct appenv *out, struct err *err);
/* Zeroes what it frees: secrets are among it. */
void appenv_done(struct appenv *env);
static inline void own_appenv_done(struct appenv *held)
{
	appenv_done(held);
}

/* "slug.domain:port"; no port where it is 80. For free(). */
char *appenv_host(const char *slug, const char *domain, uint16_t port);
