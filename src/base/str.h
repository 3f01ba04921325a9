#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/own.h"

/*
 * A growing byte string that is born with a limit. Appends can be chained without a look: the first
 * one that would pass the limit marks the string as failed, the rest do nothing, and str_check()
 * tells at the end. `data` is never NULL and always ends in a NUL that `length` does not count.
 */
struct str {
	char *data;
	size_t length;
	size_t room; /* allocated bytes, 0 while `data` is the shared empty string */
	size_t max;  /* the limit for `length` */
	bool failed;
	bool wipes; /* nothing of it stays behind in freed memory */
};

/* An empty string that may grow to `max` bytes. */
struct str str_new(size_t max);
/* The same for what may hold a secret. What str_take() gives away is the taker's to wipe. */
struct str str_new_wiping(size_t max);
void str_done(struct str *str);
static inline void own_str_done(struct str *held)
{
	str_done(held);
}

void str_add(struct str *str, const char *text);
void str_add_n(struct str *str, const void *bytes, size_t length);
void str_add_char(struct str *str, char c);
void str_addf(struct str *str, const char *format, ...) like_printf(2, 3);
void str_cut(struct str *str, size_t length); /* to this length, if it is longer */
void str_clear(struct str *str);              /* keeps the room and the limit, forgets a failure */

/* Errors: ERR_TOO_LARGE where an append did not fit; `what` names the string in the text. */
must_check int str_check(const struct str *str, const char *what, struct err *err);

/* The bytes as a heap string for free(); the string is empty afterwards. */
char *str_take(struct str *str);

bool str_starts(const char *text, const char *start);
bool str_ends(const char *text, const char *end);
