#pragma once

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "base/proc.h"
#include "daemon/settings.h"

/*
 * The front door: where we listen, the configuration that nginx gets for it, and which nginx
 * serves.
 */
struct door;

must_check int door_new(const struct datadir *dir, const struct settings *settings,
			struct door **out, struct err *err);
void door_free(struct door *door); /* nginx goes on */
DEFINE_OWNED(struct door *, door_free);

/*
 * Take over the nginx that runs with the same configuration, or start one. We hold its sockets,
 * too: where it dies, visitors wait in their queues for the next. Errors: an address that is taken.
 */
must_check int door_start(struct door *door, struct proc *out, struct err *err);

/* "http://localhost:8080", for people. */
const char *door_url(const struct door *door);

/* Port of the hub: of the first --listen. Errors: ERR_INVALID. */
must_check int door_port(const struct settings *settings, uint16_t *out, struct err *err);
