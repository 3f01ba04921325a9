#include "api/call.h"

#include <stdlib.h>

#include "api/answer.h"
#include "api/limits.h"
#include "api/page.h"
#include "base/mem.h"
#include "store/audit.h"

/*
 * Who has changed what, newest first: docs/audit.md. The address is ours, no client knows it; it
 * pages as lists do. A row is whole, so that whoever fetches the rows can verify their chain.
 */

/* One row more than the page has tells whether there is another page. */
static int read_query(const struct call *call, struct audit_query *out, int64_t *limit,
		      struct err *err)
{
	int64_t cursor = INT64_MAX;

	if (page_limit(call, LIMITS_AUDIT_NORMAL, LIMITS_AUDIT_PAGE, limit, err) < 0 ||
	    http_query_int(call->request, "cursor", &cursor, err) < 0)
		return -1;
	if (cursor < 1)
		return err_set(err, ERR_INVALID, "cursor must be positive");
	*out = (struct audit_query){
		.actor = http_query(call->request, "actor"),
		.target = http_query(call->request, "target"),
		.action = http_query(call->request, "action"),
		.before_id = cursor,
		.limit = *limit + 1,
	};
	if (call_time(call, "since", &out->since_ms, err) < 0)
		return -1;
	return call_time(call, "until", &out->until_ms, err);
}

static void add_row(void *arg, const struct audit_row *row)
{
	json_array_append_new(arg, audit_json(row));
}

static int read_rows(const struct call *call, const struct audit_query *query, json_t *rows,
		     struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	return audit_each(store_read_db(read), query, add_row, rows, err);
}

int call_audit_rows(struct call *call, struct err *err)
{
	owned(json_decref) json_t *rows = json_array();
	struct audit_query query;
	int64_t limit;

	if (read_query(call, &query, &limit, err) < 0 || read_rows(call, &query, rows, err) < 0)
		return -1;
	if (json_array_size(rows) > (size_t)limit) {
		json_array_remove(rows, (size_t)limit);
		const json_t *last = json_array_get(rows, (size_t)limit - 1);
		owned(free) char *cursor = mem_format(
			"%lld", (long long)json_integer_value(json_object_get(last, "id")));
		page_next(call, NULL, cursor);
	}
	answer_json(call->answer, take(rows));
	return 0;
}
