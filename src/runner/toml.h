#pragma once

#include "base/str.h"

/*
 * Toml: variables as a file that Streamlit reads, ~/.streamlit/secrets.toml.
 *
 * Writing only. Names are bare keys and values are basic strings (TOML 1.0.0), on one line each
 * whatever they hold, so that no value can end its string and begin a key of its own.
 */
enum { TOML_GROWTH_MAX = 6 }; /* bytes for one of a value: a control character as \u0001 */

/* Append `variable`, NAME=value with a name that a shell would take, as a line. */
void toml_add(struct str *out, const char *variable);
