#include "daemon/words/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "auth/account.h"
#include "base/clock.h"
#include "base/when.h"
#include "daemon/words/usage.h"
#include "space/bill.h"

#define LINE "usage [--from T] [--to T] [--json] [USER|ORG]"

struct wish {
	struct ledger_filter filter;
	const char *owner; /* NULL: all */
	bool json;
};

static int read_time(const char *text, int64_t *out, struct err *err)
{
	return text ? when_parse(text, clock_wall_ms(), out, err) : 0;
}

static int parse(int argc, char **argv, struct wish *out, struct err *err)
{
	const char *from = NULL;
	const char *to = NULL;
	const struct usage_option options[] = {
		{"--from", USAGE_TEXT, &from},
		{"--to", USAGE_TEXT, &to},
		{"--json", USAGE_FLAG, &out->json},
	};
	const struct usage usage = {LINE,        options, sizeof(options) / sizeof(options[0]),
				    &out->owner, 1,       1};

	if (usage_parse(&usage, argc, argv, err) < 0 ||
	    read_time(from, &out->filter.from_ms, err) < 0)
		return -1;
	return read_time(to, &out->filter.to_ms, err);
}

static int find_owner(struct store_db *db, struct wish *wish, struct err *err)
{
	struct account account;
	int found;

	if (!wish->owner)
		return 0;
	found = account_find(db, wish->owner, &account, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no account %s", wish->owner);
	wish->filter.owner_id = account.id;
	return found < 0 ? -1 : 0;
}

/* A table's line: what is short on the left, numbers under each other on the right. */
static void put_line(FILE *out, const json_t *use, const char *space, const char *flavor)
{
	fprintf(out, "%-40s %-16s %16s %16s\n", space, flavor,
		json_string_value(json_object_get(use, "seconds")),
		json_string_value(json_object_get(use, "costUSD")));
}

static void put_table(FILE *out, const json_t *bill)
{
	const json_t *uses = json_object_get(bill, "uses");
	const json_t *use;
	size_t i;

	fprintf(out, "%-40s %-16s %16s %16s\n", "SPACE", "FLAVOR", "SECONDS", "USD");
	json_array_foreach (uses, i, use)
		put_line(out, use, json_string_value(json_object_get(use, "space")),
			 json_string_value(json_object_get(use, "flavor")));
	put_line(out, json_object_get(bill, "total"), "total", "");
}

int words_usage(struct store *store, int argc, char **argv, FILE *out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(json_decref) json_t *bill = NULL;
	owned(free) char *text = NULL;
	struct ledger_moment now = ledger_moment(0);
	struct wish wish = {0};

	if (parse(argc, argv, &wish, err) < 0 || store_read_begin(store, &read, err) < 0 ||
	    find_owner(store_read_db(read), &wish, err) < 0 ||
	    bill_json(store_read_db(read), &wish.filter, &now, &bill, err) < 0)
		return -1;
	if (!wish.json) {
		put_table(out, bill);
		return 0;
	}
	text = json_text(bill);
	fprintf(out, "%s\n", text);
	return 0;
}
