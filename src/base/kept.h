#pragma once

#include <stddef.h>

#include "base/own.h"

/*
 * Texts that cost much to make and can never change, kept by a key that says everything that they
 * depend on: the same key must always mean the same text. What was not asked for longest goes
 * first, by the bytes that all of them take.
 *
 * A page of 1,000 entries of a tree is made in two milliseconds and found in one microsecond.
 *
 * Threads: any. A text is counted: it lives until its last user has given it back.
 */
struct kept;

struct kept_text {
	const char *bytes;
	size_t length;
};

struct kept *kept_new(size_t max_bytes);
/* Texts that are still in use live on. Takes NULL. */
void kept_free(struct kept *kept);
DEFINE_OWNED(struct kept *, kept_free);

/* A text for kept_unref(), or NULL. */
struct kept_text *kept_find(struct kept *kept, const char *key);

/*
 * Keep a text, whose bytes are taken over, and return it for kept_unref(). One that takes more than
 * an eighth of the room is only returned: it would drive out many others.
 */
struct kept_text *kept_put(struct kept *kept, const char *key, char *bytes, size_t length);

void kept_unref(struct kept_text *text);
DEFINE_OWNED(struct kept_text *, kept_unref);
