#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/own.h"

/* A value that must not leak: zeroed on release, compared in constant time, never printed. */
struct secret;

struct secret *secret_new(const void *bytes, size_t length);
void secret_free(struct secret *secret);
DEFINE_OWNED(struct secret *, secret_free);
const char *secret_bytes(const struct secret *secret); /* NUL-terminated as well */
size_t secret_length(const struct secret *secret);
bool secret_equals(const struct secret *secret, const void *bytes, size_t length);
