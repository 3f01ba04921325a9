#pragma once

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"

/*
 * Roles: the processes that the keeper starts from this same program, as `espaced OPTIONS @hub`
 * with the keeper's own options. Their descriptors have fixed numbers.
 */
enum role { ROLE_HUB, ROLE_RUNNER, ROLE_COUNT };

enum role_fd {
	ROLE_FD_LIFELINE = 3, /* end of file: the keeper is gone, end as well */
	ROLE_FD_RUNNER = 4,   /* one end of the socket pair between hub and runner */
	ROLE_FD_API = 5,      /* listening unix sockets, hub only */
	ROLE_FD_ASK = 6,
	ROLE_FD_STREAM = 7,
	ROLE_FD_READY = 8, /* one byte is written when the hub answers through nginx */
	ROLE_FD_COUNT = 9,
};

/* "hub", "runner". */
const char *role_name(enum role role);

/*
 * Wait until no earlier process has this role here (one whose keeper was killed takes a moment to
 * notice), then hold it until the descriptor is closed.
 */
must_check int role_claim(const struct datadir *dir, enum role role, int *out, struct err *err);

/* Become user and group `espace`, with the group of nginx's workers beside it, without any rights
 * of root; no way back. */
must_check int role_drop_rights(const struct datadir *dir, struct err *err);

/*
 * Secrets pass through hub and runner, and the keeper starts both: nothing of their memory is
 * written to a core file, and other processes of the same user can't look at it.
 */
must_check int role_hide(struct err *err);
