#include "api/call.h"

#include "api/answer.h"
#include "api/url.h"

/*
 * The run of a Space and its logs: A10, A12.
 */

static void answer_runtime(struct call *call, const struct space *space)
{
	owned(free) char *host = url_space_host(call, space->slug);

	answer_json(call->answer, space_runtime_json(space, host));
}

int call_runtime(struct call *call, struct err *err)
{
	struct space space;

	if (call_space(call, &space, err) < 0)
		return -1;
	answer_runtime(call, &space);
	return 0;
}

/* The answer already shows the stage in transition: clients stop polling at any other (A10). */
int call_restart(struct call *call, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	bool factory = false;
	struct space space;

	if (http_query_bool(call->request, "factory", &factory, err) < 0 ||
	    call_change(call, &tx, err) < 0 ||
	    space_restart(store_tx_db(tx), call->repo.id, factory, err) < 0 ||
	    call_audit(call, tx, "space.restart", factory ? "factory" : NULL, err) < 0)
		return -1;
	if (store_tx_commit(take(tx), err) < 0)
		return -1;
	call_wake(call);
	if (call_space(call, &space, err) < 0)
		return -1;
	answer_runtime(call, &space);
	return 0;
}

/*
 * A log is a stream that may live for hours, so that no thread of ours serves it: nginx turns to
 * the stream server, at an address that only we can name. Without a log yet that server waits for
 * one.
 */
static int answer_log(struct call *call, const char *kind, int64_t number)
{
	if (number > 0)
		http_add_headerf(call->answer, "X-Accel-Redirect", "/_stream/%s/logs/%s-%lld.log",
				 call->repo.hex, kind, (long long)number);
	else
		http_add_header(call->answer, "X-Accel-Redirect", "/_stream/none");
	return 0;
}

int call_logs_build(struct call *call, struct err *err)
{
	struct space space;

	if (call_space(call, &space, err) < 0)
		return -1;
	return answer_log(call, "build", space.build_log);
}

int call_logs_run(struct call *call, struct err *err)
{
	struct space space;

	if (call_space(call, &space, err) < 0)
		return -1;
	return answer_log(call, "run", space.run_log);
}
