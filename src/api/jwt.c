#include "api/call.h"

#include "api/answer.h"
#include "api/url.h"
#include "auth/pass.h"
#include "base/clock.h"
#include "base/mem.h"

/*
 * A link into a private Space for a browser: A15. Clients look for `token`, people for `url`. It
 * gives what the caller has: the link ends with the token that asked for it.
 */
int call_jwt(struct call *call, struct err *err)
{
	owned(secret_free) struct secret *key = vault_derive(call->config->vault, PASS_KEY);
	const struct pass pass = {
		.repo_id = call->repo.id,
		.user_id = call->actor.user_id,
		.token_id = call->actor.token_id,
	};
	owned(free) char *host = NULL;
	owned(free) char *url = NULL;
	char token[PASS_ROOM];
	struct space space;

	if (call_space(call, &space, err) < 0)
		return -1;
	pass_write(&pass, PASS_LINK, clock_wall_ms() / 1000, key, token);
	host = url_space(call, space.slug);
	url = mem_format("%s/?__sign=%s", host, token);
	answer_json(call->answer, json_pack("{s:s, s:s, s:i}", "token", token, "url", url,
					    "expiresIn", PASS_LINK_S));
	return 0;
}
