#pragma once

#include <stdint.h>

/*
 * Flavors: the first hardware.yaml of a hub. It has every name that the Hub's clients know, with
 * what stands behind it there, but no more processors and memory than this machine has. Cards are
 * simulated: no engine hands them out yet.
 *
 * Wire: A13, the flavors known to clients.
 */

/* For free(). */
char *flavors_yaml(unsigned cpus, uint64_t memory_bytes);
