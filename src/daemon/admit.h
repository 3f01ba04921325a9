#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"
#include "auth/pass.h"
#include "base/err.h"
#include "base/own.h"
#include "repo/repo.h"
#include "store/store.h"

/*
 * Admit: may this visitor of a host name see the app behind it? A public app everybody may; a
 * private one who may read its repository and says who they are: by a token, by a cookie that a
 * link has given (auth/pass.h), or by such a link.
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
	const char *passes;    /* values of cookies, with blanks between */
	const char *uri;       /* with a link's `__sign`, or without */
	int64_t now_s;         /* wall clock */
};

enum admit {
	ADMIT_PUBLIC,  /* everybody */
	ADMIT_VISITOR, /* this one */
	ADMIT_LINK,    /* this one, if the link has not been used: admit_exchange() */
	ADMIT_SIGN_IN,
	ADMIT_NOTHING,
};

struct admit_answer {
	enum admit admit;
	bool drops;         /* `token` is one of the hub: it must not reach the app */
	bool signs;         /* ADMIT_VISITOR: the address has a link's `__sign` all the same */
	struct actor actor; /* ADMIT_LINK: who comes … */
	struct pass link;   /* … by which … */
	struct repo repo;   /* … to where */
};

must_check int admit_visitor(struct store_db *db, const struct admit_visitor *visitor,
			     const struct secret *key, struct admit_answer *out, struct err *err);

/*
 * Use the link of an ADMIT_LINK up. 1: a cookie's value has been written, once the transaction is
 * committed. 0: another was first. -1: failed. `from` is the visitor's address, for the audit.
 */
must_check int admit_exchange(struct store_db *db, const struct admit_answer *answer,
			      const char *from, const struct secret *key,
			      char cookie[static PASS_ROOM], struct err *err);
