#pragma once

#include "api/call.h"

/*
 * What follows once a branch of call->repo has moved, whichever call has moved it. In one
 * transaction: the repository is as new as now, lists show what its main is, its Space hears of a
 * new head, and the audit has its row. Then the space loop is woken.
 *
 * `action` NULL: this call has moved nothing, but an earlier one may have been kept from telling
 * (a crash, a lost answer), so lists and the Space hear of what they do not know.
 *
 * Errors: ERR_NO_REPO where the repository was deleted meanwhile.
 */
must_check int pushed(struct call *call, struct git *git, const char *action, const char *detail,
		      struct err *err);
