#include "api/call.h"

#include "api/answer.h"
#include "api/url.h"
#include "base/mem.h"

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
 * the stream server (http/follow.h), at an address that only we can name. Number 0: there is no
 * log.
 */
static int answer_log(struct call *call, const char *kind, int64_t number, struct err *err)
{
	owned(free) char *tail = NULL;
	int64_t lines = -1;

	if (http_query_int(call->request, "tail", &lines, err) < 0)
		return -1;
	tail = lines >= 0 ? mem_format("?tail=%lld", (long long)lines) : mem_text("");
	if (number > 0)
		http_add_headerf(call->answer, "X-Accel-Redirect", "/_stream/%s/logs/%s-%lld.log%s",
				 call->repo.hex, kind, (long long)number, tail);
	else
		http_add_header(call->answer, "X-Accel-Redirect", "/_stream/none");
	return 0;
}

/* The first build's log is waited for: who uploads and follows at once is there before it is. */
int call_logs_build(struct call *call, struct err *err)
{
	struct space space;

	if (call_space(call, &space, err) < 0)
		return -1;
	if (space.build_log == 0 && stage_is_passing(space.stage))
		space.build_log = 1;
	return answer_log(call, "build", space.build_log, err);
}

int call_logs_run(struct call *call, struct err *err)
{
	struct space space;

	if (call_space(call, &space, err) < 0)
		return -1;
	return answer_log(call, "run", space.run_log, err);
}
