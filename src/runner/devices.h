#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"

/*
 * Devices of a run: what CDI says that its cards need (engine/cdi.h), put into runc's
 * configuration. In a user namespace runc can make no node, so a node of the host is bound to its
 * place, and a rule of the cgroup lets the run open it.
 *
 * Wire: CDI specification 0.6, `containerEdits`.
 */
enum {
	DEVICES_ENTRIES_MAX = 256, /* of each list of a spec */
	DEVICES_TEXT_MAX = 4096,   /* of each text */
};

/*
 * Add the devices of a spec to `config`, which is changed in part where it fails. *hooks tells
 * whether something is to run for them. Errors: ERR_INVALID for a device that is not there, or
 * asks for what can't be.
 */
must_check int devices_add(const char *const *folders, const struct engine_spec *spec,
			   json_t *config, bool *hooks, struct err *err);
