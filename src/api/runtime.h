#pragma once

#include <jansson.h>
#include <stdint.h>

#include "api/call.h"
#include "base/err.h"
#include "base/own.h"

/*
 * The runtime object, which several calls answer with.
 *
 * Wire: A10.
 */

/*
 * space_runtime_json() with all that is known only here, for a client that reaches the Space at
 * `host`. Belongs to the caller.
 */
must_check int runtime_of(struct store *store, const struct hardware *hardware,
			  const struct space *space, const char *host, json_t **out,
			  struct err *err);
must_check int runtime_json(struct call *call, const struct space *space, json_t **out,
			    struct err *err);

/* Answer with the runtime of call->repo as it is now. */
must_check int runtime_answer(struct call *call, struct err *err);

/*
 * May a Space of this account have this hardware? An administrator may give it to anybody.
 * Errors: ERR_PAYMENT.
 */
must_check int runtime_may_have(const struct call *call, struct store_db *db, int64_t owner_id,
				const char *flavor, struct err *err);

/* Seconds as a number, or as a number in a string, which old command lines send. Missing or null:
 * *out stays. Errors: ERR_INVALID. */
must_check int runtime_seconds(const json_t *body, const char *key, int64_t *out, struct err *err);

/* A sleep time: -1, or no less than the hub's settings accept. Otherwise as runtime_seconds(). */
must_check int runtime_sleep_time(struct call *call, const json_t *body, const char *key,
				  int64_t *out, struct err *err);
/* Refuse one that is none, and say which are. */
int runtime_no_sleep_time(const struct call *call, const char *key, struct err *err);
