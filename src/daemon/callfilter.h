#pragma once

#include "base/err.h"

/*
 * Call filter: the system calls that the hub, and git as its child, may make, by seccomp. calls.def
 * is the list.
 *
 * A call that no hub needs and that whoever has taken one over would try first ends the process
 * (the keeper logs it, and starts another). Any other that is not listed fails with ENOSYS, as on a
 * kernel without it, and is logged as `calls.refused`: so a new C library that tries a new call
 * goes on with the old one, and somebody can see that the list has become too short. A child has no
 * log of ours, so it ends.
 *
 * No namespaces, and no memory that was written becomes code.
 *
 * Threads: call it before any is started; those started later inherit it.
 */

/* No way back. Errors: ERR_SYSTEM. */
must_check int callfilter_enter(struct err *err);
