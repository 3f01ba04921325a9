#pragma once

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "daemon/settings.h"

/*
 * Hub: the process that answers. It wires the rooms together: store, API, space loop, engine, the
 * servers on the sockets that the keeper handed over (role.h).
 */
struct hub_config {
	const struct datadir *dir;
	const struct settings *settings;
};

/* Serve until the lifeline ends or SIGTERM comes. */
must_check int hub_run(const struct hub_config *config, struct err *err);
