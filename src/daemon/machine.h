#pragma once

#include "base/err.h"
#include "base/own.h"
#include "daemon/options.h"

/*
 * The words that need root: they make and end what belongs to a data directory on this machine.
 */

/*
 * Become the one that holds the data directory until *locked is closed, then see to its folders,
 * their owners and an instance of its own. Idempotent. Errors: ERR_DENIED if not root, ERR_BUSY
 * where another process holds it: then nothing is changed, for it would be under that one's feet.
 */
must_check int machine_claim(const struct options *options, int *locked, struct err *err);

/* The folders, then the database and a first espace.conf, as the owner of the directory. */
must_check int machine_init(const struct options *options, struct err *err);

/* Make the base system of Spaces now, with progress on stderr. */
must_check int machine_prepare(const struct options *options, struct err *err);

/* End everything: the keeper if there is one, then what it left. Errors: ERR_BUSY after 30 s. */
must_check int machine_stop(const struct options *options, struct err *err);
