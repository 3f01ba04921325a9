#include "api/call.h"

#include <string.h>

#include "api/answer.h"

/*
 * What there is to choose from: A13.
 */

int call_hardware(struct call *call, struct err *err)
{
	answer_json(call->answer, hardware_json(call->config->hardware));
	return 0;
}

/* Nobody shares cards here, so nobody has a quota of them. */
int call_quota(struct call *call, struct err *err)
{
	answer_json(call->answer, json_pack("{s:i, s:i}", "base", 0, "current", 0));
	return 0;
}

/* One that the caller can't read, or that is gone, is not offered. */
static int add_template(struct call *call, const char *full_name, json_t *list, struct err *err)
{
	struct repo repo;

	if (call_find_readable(call, REPO_SPACE, full_name, &repo, err) < 0) {
		if (err->kind != ERR_NO_REPO)
			return -1;
		*err = ERR_INIT;
		return 0;
	}
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "name", repo.name, "repoId",
					      repo.full_name, "sdk", repo.sdk, "preferredPrivate",
					      repo.is_private));
	return 0;
}

int call_templates(struct call *call, struct err *err)
{
	owned(json_decref) json_t *list = json_array();

	for (char *const *name = call->config->templates; name && *name; name++)
		if (add_template(call, *name, list, err) < 0)
			return -1;
	answer_json(call->answer, json_pack("{s:O}", "templates", list));
	return 0;
}
