#pragma once

#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "base/proc.h"

/*
 * The nginx process: it alone accepts, and is a child of the keeper that outlives it.
 * `run/nginx.state` names its pid, start time and fingerprint (configuration and module), so that a
 * new keeper finds it and takes it over, or ends it where the fingerprint differs.
 */
struct nginx_spec {
	const struct datadir *dir;
	const char *conf;        /* path of its configuration */
	const char *fingerprint; /* hex */
	const int *sockets;      /* that listen; they stay the caller's */
	size_t socket_count;
};

/* The number of its first socket in the process; the others follow. */
enum { NGINX_FIRST_SOCKET = 3 };

/* Take over the one that runs with this fingerprint: 1 done, 0 there is none. */
must_check int nginx_adopt(const struct nginx_spec *spec, struct proc *out, struct err *err);

/* End whatever runs, start a new one. */
must_check int nginx_start(const struct nginx_spec *spec, struct proc *out, struct err *err);

/*
 * End master and workers of this data directory, whoever started them, and wait until their sockets
 * are free. None running is no error.
 */
void nginx_stop(const struct datadir *dir);
