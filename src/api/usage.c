#include "api/call.h"

#include "api/answer.h"
#include "space/bill.h"

/*
 * What a Space has used and what it costs: docs/usage.md. The address is ours, no client knows it.
 */
int call_usage(struct call *call, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct ledger_filter filter = {.repo_id = call->repo.id};
	struct ledger_moment now = ledger_moment(0);
	json_t *bill;

	if (call_time(call, "from", &filter.from_ms, err) < 0 ||
	    call_time(call, "to", &filter.to_ms, err) < 0 ||
	    store_read_begin(call->config->store, &read, err) < 0 ||
	    bill_json(store_read_db(read), &filter, &now, &bill, err) < 0)
		return -1;
	answer_json(call->answer, bill);
	return 0;
}
