#include "daemon/words/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/when.h"
#include "daemon/words/usage.h"
#include "store/audit.h"
#include "store/chain.h"

#define LINE                                                                         \
	"audit [--actor A] [--target NS/NAME] [--action X] [--since T] [--until T] " \
	"[--limit N] [--json] | audit --verify [--head ID:HASH]"

/* Rows that a person looks at. */
enum { LIMIT_NORMAL = 50 };

struct wish {
	struct audit_query query;
	bool json;
	bool verify;
	const char *head;
};

static int read_time(const char *text, int64_t *out, struct err *err)
{
	return text ? when_parse(text, clock_wall_ms(), out, err) : 0;
}

static int read_limit(const char *text, int64_t *out, struct err *err)
{
	char *end;

	if (!text)
		return 0;
	*out = strtoll(text, &end, 10);
	if (*out < 1 || *end)
		return err_set(err, ERR_INVALID, "--limit takes a number above 0, not %.100s",
			       text);
	return 0;
}

static int parse(int argc, char **argv, struct wish *out, struct err *err)
{
	struct audit_query *query = &out->query;
	const char *since = NULL;
	const char *until = NULL;
	const char *limit = NULL;
	const struct usage_option options[] = {
		{"--actor", USAGE_TEXT, &query->actor},   {"--target", USAGE_TEXT, &query->target},
		{"--action", USAGE_TEXT, &query->action}, {"--since", USAGE_TEXT, &since},
		{"--until", USAGE_TEXT, &until},          {"--limit", USAGE_TEXT, &limit},
		{"--json", USAGE_FLAG, &out->json},       {"--verify", USAGE_FLAG, &out->verify},
		{"--head", USAGE_TEXT, &out->head},
	};
	const struct usage usage = {LINE, options, sizeof(options) / sizeof(options[0]), NULL, 0};

	query->limit = LIMIT_NORMAL;
	if (usage_parse(&usage, argc, argv, err) < 0 ||
	    read_time(since, &query->since_ms, err) < 0 ||
	    read_time(until, &query->until_ms, err) < 0 ||
	    read_limit(limit, &query->limit, err) < 0)
		return -1;
	if (out->verify ? argc > 1 + (out->head != NULL) * 2 : out->head != NULL)
		return err_set(err, ERR_INVALID, "usage: %s", LINE);
	return 0;
}

/* A terminal obeys control characters. */
static void put_plain(FILE *out, const char *text, int width)
{
	int length = 0;

	for (; *text; text++, length++)
		fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, out);
	fprintf(out, "%*s", width > length ? width - length : 1, "");
}

static void put_line(void *arg, const struct audit_row *row)
{
	char at[CLOCK_STAMP_MAX];
	FILE *out = arg;

	clock_stamp(row->at_ms, at);
	fprintf(out, "%.10s %.8s  ", at, at + 11);
	put_plain(out, row->who.actor, 16);
	put_plain(out, row->action, 20);
	put_plain(out, row->target, 30);
	put_plain(out, row->who.address[0] ? row->who.address : "-", 16);
	put_plain(out, row->detail, 0);
	fputc('\n', out);
}

static void put_json(void *arg, const struct audit_row *row)
{
	owned(json_decref) json_t *json = audit_json(row);
	owned(free) char *text = json_text(json);

	fprintf(arg, "%s\n", text);
}

static int list(struct store_db *db, const struct wish *wish, FILE *out, struct err *err)
{
	if (!wish->json)
		fprintf(out, "%-21s%-16s%-20s%-30s%-16s%s\n", "TIME (UTC)", "WHO", "ACTION",
			"TARGET", "FROM", "DETAIL");
	return audit_each(db, &wish->query, wish->json ? put_json : put_line, out, err);
}

static int verify(struct store_db *db, const char *head, FILE *out, struct err *err)
{
	struct chain_report report;
	struct chain_head kept;

	if (head && chain_head_parse(head, &kept, err) < 0)
		return -1;
	if (chain_verify(db, head ? &kept : NULL, &report, err) < 0)
		return -1;
	if (report.fault)
		return err_set(err, ERR_SYSTEM, "audit: row %lld %s; %lld rows before it are right",
			       (long long)report.bad_id, report.fault, (long long)report.rows);
	fprintf(out, "%lld rows are whole; head %lld:%s\n", (long long)report.rows,
		(long long)report.head.id, report.head.hash);
	return 0;
}

int words_audit(struct store *store, int argc, char **argv, FILE *out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct wish wish = {0};

	if (parse(argc, argv, &wish, err) < 0 || store_read_begin(store, &read, err) < 0)
		return -1;
	if (wish.verify)
		return verify(store_read_db(read), wish.head, out, err);
	return list(store_read_db(read), &wish, out, err);
}
