#pragma once

#include "base/err.h"
#include "base/own.h"
#include "daemon/options.h"

/*
 * The words that need root: they make and end what belongs to a data directory on this machine.
 */

/* Folders, their owners, and an instance of its own. Idempotent. Errors: ERR_DENIED if not root. */
must_check int machine_claim(const struct options *options, struct err *err);

/* The same, then the database and a first espace.conf, as the owner of the directory. */
must_check int machine_init(const struct options *options, struct err *err);

/* Make the base system of Spaces now, with progress on stderr. */
must_check int machine_prepare(const struct options *options, struct err *err);

/* End everything: the keeper if there is one, then what it left. Errors: ERR_BUSY after 30 s. */
must_check int machine_stop(const struct options *options, struct err *err);
