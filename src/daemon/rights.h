#pragma once

#include "base/err.h"

/*
 * Rights: the capabilities of root (capabilities(7)) that our processes keep. All others leave the
 * bounding set, so no child has them again, whatever it starts; and no process gains any by a
 * program that is setuid.
 */
enum rights {
	RIGHTS_MACHINE, /* keeper and runner: mounts, namespaces, networks, users; the unit's list
			 */
	RIGHTS_DOOR,    /* nginx's master, which starts workers of another user */
	RIGHTS_NONE,    /* hub */
};

/*
 * Of all programs that this process starts, and of what it becomes itself by its next exec. Our own
 * user may change in between. Errors: ERR_SYSTEM.
 */
must_check int rights_bound(enum rights rights, struct err *err);

/* The same, and of this process from now on. */
must_check int rights_keep(enum rights rights, struct err *err);
