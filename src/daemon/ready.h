#pragma once

#include <stdbool.h>

#include "daemon/listen.h"

/*
 * Does the hub answer through nginx? The last step of a start: asked by the hub itself, since the
 * keeper reads nothing from the network.
 */
bool ready_probe(const struct listen_address *address);
