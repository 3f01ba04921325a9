#pragma once

#include <stdint.h>

/*
 * Flavors: the first hardware.yaml of a hub. It has every name that the Hub's clients know, with
 * what stands behind it there, but no more processors and memory than this machine has. Flavors
 * with as many cards as it has, or fewer, share these; the others are simulated.
 *
 * Wire: A13, the flavors known to clients.
 */

/* For free(). `cards` are names of CDI devices, NULL-terminated; NULL for none. */
char *flavors_yaml(unsigned cpus, uint64_t memory_bytes, const char *const *cards);
