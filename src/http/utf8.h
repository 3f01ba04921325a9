#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * UTF-8 (RFC 3629) from outside: what is decoded from an address must be valid, what an app prints
 * is repaired. Overlong forms, surrogates and everything above U+10FFFF are no UTF-8.
 */

/*
 * The code point at *at, which is before `end`; *at moves behind it. -1 where the bytes are none;
 * *at then moves by one byte, so that a caller can put U+FFFD and go on.
 */
int32_t utf8_next(const char **at, const char *end);

bool utf8_is_valid(const char *text, size_t length);
