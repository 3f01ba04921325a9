#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/own.h"
#include "store/store.h"

/*
 * Admit: may this visitor of a host name see the app behind it? A public app everybody may; a
 * private one who may read its repository and says who they are.
 *
 * What strangers get does not tell a private Space from a name that nobody has: where it is
 * private, and where there is none, whoever says nothing or something wrong about themselves gets
 * ADMIT_SIGN_IN, and whoever is known and may not see it ADMIT_NOTHING.
 *
 * Wire: L2, 0.4.
 */
struct admit_visitor {
	const char *slug;
	const char *token;     /* of Authorization; "" for none; it may be the app's own */
	const char *hub_token; /* of X-HF-Authorization; "" for none */
};

enum admit {
	ADMIT_PUBLIC,  /* everybody */
	ADMIT_VISITOR, /* this one */
	ADMIT_SIGN_IN,
	ADMIT_NOTHING,
};

struct admit_answer {
	enum admit admit;
	bool drops; /* `token` is one of the hub: it must not reach the app */
};

must_check int admit_visitor(struct store_db *db, const struct admit_visitor *visitor,
			     struct admit_answer *out, struct err *err);
