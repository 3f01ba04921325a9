#include "engine/engine.h"

#include <string.h>

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

/* `more` may stand inside. Returns what is behind, or NULL where there is no such word. */
static const char *pass_word(const char *at, const char *more)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const char *begin = at;

	if (!*at || !strchr(letters, *at))
		return NULL;
	while (*at && (strchr(letters, *at) || strchr(more, *at)))
		at++;
	return strchr(letters, at[-1]) || at - begin == 1 ? at : NULL;
}

/* CDI specification 0.6: vendor "/" class "=" name. */
bool engine_device_is(const char *name)
{
	const char *at = pass_word(name, "_-.");

	if (strlen(name) >= ENGINE_DEVICE_ROOM || !at || *at != '/')
		return false;
	at = pass_word(at + 1, "_-");
	if (!at || *at != '=')
		return false;
	at = pass_word(at + 1, "_-.:");
	return at && *at == '\0';
}

int engine_refusal(const struct err *err)
{
	return err_may_pass(err) ? ENGINE_DEFERRED : ENGINE_NEVER_STARTED;
}
