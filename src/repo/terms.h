#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/own.h"

/*
 * Terms: each text is kept once, for as long as somebody holds it, and goes by a small number. So
 * that a hundred thousand repositories tagged "license:mit" hold it once, and compare numbers.
 *
 * Threads: one at a time.
 */
struct terms;

struct terms *terms_new(void);
void terms_free(struct terms *terms);
DEFINE_OWNED(struct terms *, terms_free);

/* Hold a text; each terms_hold() needs its terms_drop(). */
uint32_t terms_hold(struct terms *terms, const char *text, size_t length);
void terms_drop(struct terms *terms, uint32_t term);

/* The number of a text that is held; false if nobody holds it. */
bool terms_find(const struct terms *terms, const char *text, uint32_t *out);

/* One more than the largest number in use. */
uint32_t terms_end(const struct terms *terms);

/* The text of a number, until it is dropped for the last time; NULL for one not in use. */
const char *terms_text(const struct terms *terms, uint32_t term);
