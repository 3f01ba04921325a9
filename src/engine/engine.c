#include "engine/engine.h"

const char *engine_state_name(enum engine_state state)
{
	switch (state) {
	case ENGINE_STARTING:
		return "starting";
	case ENGINE_RUNNING:
		return "running";
	case ENGINE_FROZEN:
		return "frozen";
	case ENGINE_ENDED:
		return "ended";
	}
	return "unknown";
}

int engine_refusal(const struct err *err)
{
	return err_may_pass(err) ? ENGINE_DEFERRED : ENGINE_NEVER_STARTED;
}
