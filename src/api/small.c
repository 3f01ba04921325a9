#include "api/call.h"

#include "api/answer.h"
#include "api/url.h"
#include "base/mem.h"

/*
 * Calls that clients make on the side: A15, and a word for people.
 */

/* The right was asked for by the row; to be here is the answer. */
int call_auth_check(struct call *call, struct err *err)
{
	answer_json(call->answer, json_object());
	return 0;
}

/* Asked before the first call of every process, with 3 s to answer; only a 200 is remembered. */
int call_agent_harnesses(struct call *call, struct err *err)
{
	answer_json(call->answer, json_pack("{s:[], s:{}}", "standardEnvVars", "harnesses"));
	return 0;
}

/* Nothing is counted; a failure would only slow the client down. */
int call_telemetry(struct call *call, struct err *err)
{
	answer_json(call->answer, json_object());
	return 0;
}

int call_host(struct call *call, struct err *err)
{
	owned(free) char *host = NULL;
	struct space space;

	if (call_space(call, &space, err) < 0)
		return -1;
	host = url_space(call, space.slug);
	answer_json(call->answer, json_pack("{s:s, s:s}", "subdomain", space.slug, "host", host));
	return 0;
}

/* For people who open the hub's address in a browser. */
int call_welcome(struct call *call, struct err *err)
{
	owned(free) char *text =
		mem_format("This is espace: a hub for models, datasets and Spaces.\n\n"
			   "Clients of the Hub's API reach it by\n\n"
			   "    export HF_ENDPOINT=%s\n",
			   http_origin(call->request));

	answer_text(call->answer, text);
	return 0;
}
