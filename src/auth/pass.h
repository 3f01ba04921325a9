#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "store/store.h"

/*
 * Pass: lets a browser, which sends no token, into one private Space as a certain user. A link is
 * exchanged once, soon after it was made, for a cookie. A pass proves only whose it is: whether
 * that user, with the token by which the link was made, may still read is asked at each visit.
 *
 * As text: base64 of its fields and of their HMAC by the hub's key, with no letter that an address
 * or a cookie would have to escape.
 *
 * Units: seconds of the wall clock.
 */
enum pass_kind { PASS_LINK = 1, PASS_COOKIE = 2 };

enum {
	PASS_LINK_S = 5 * 60,          /* a person clicks, or copies it to another machine */
	PASS_COOKIE_S = 7 * 24 * 3600, /* then it takes another link */
	PASS_NONCE = 16,
	PASS_ROOM = 109, /* 108 letters and NUL */
};

struct pass {
	enum pass_kind kind;
	int64_t repo_id; /* of the Space */
	int64_t user_id;
	int64_t token_id; /* that the link was asked for with */
	int64_t expires_s;
	unsigned char nonce[PASS_NONCE]; /* of a link: it is good once */
};

/* The use of the key, by which it is derived (space/vault.h). */
#define PASS_KEY "espass01"

/* Whose and for what; the rest is filled in. */
void pass_write(const struct pass *pass, enum pass_kind kind, int64_t now_s,
		const struct secret *key, char out[static PASS_ROOM]);

/* False for a text that is no pass of this kind and key, or one that has expired. */
bool pass_read(const char *text, size_t length, enum pass_kind kind, int64_t now_s,
	       const struct secret *key, struct pass *out);

/* Use up a link. 1 done, 0 it was used before, -1 failed. */
must_check int pass_spend(struct store_db *db, const struct pass *link, int64_t now_s,
			  struct err *err);
