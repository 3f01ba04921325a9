#pragma once

#include <stdint.h>

#include "base/loop.h"
#include "base/own.h"

/*
 * Probe: asks an app for GET / again and again until it gives an HTTP answer, whatever its status:
 * that makes a Space ready. It never gives up by itself.
 *
 * Units:   the address in host byte order.
 * Threads: the loop's own.
 */
struct probe;

/* `ready` is called once; the probe may be freed inside of it. */
struct probe *probe_new(struct loop *loop, uint32_t address, uint16_t port,
			void (*ready)(void *arg), void *arg);
void probe_free(struct probe *probe); /* takes NULL */
DEFINE_OWNED(struct probe *, probe_free);
