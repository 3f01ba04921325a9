#include "daemon/check/checkup.h"
#include "store/chain.h"

/* Never mended: what a program could put right, a thief could. */
int checkup_audit(struct checkup *checkup, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct chain_report report;

	if (!checkup->store)
		return 0;
	if (store_read_begin(checkup->store, &read, err) < 0 ||
	    chain_verify(store_read_db(read), NULL, &report, err) < 0)
		return -1;
	if (report.fault)
		checkup_problem(checkup, "audit",
				"compare with a backup, and ask who could write to espace.db",
				"row %lld %s", (long long)report.bad_id, report.fault);
	return 0;
}
