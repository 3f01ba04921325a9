#pragma once

#include <stddef.h>
#include <stdint.h>

/* What each fuzzer defines (libFuzzer's interface). Asserts tell of a mistake. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
