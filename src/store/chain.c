#include "store/chain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const char genesis[HASH_HEX] =
	"0000000000000000000000000000000000000000000000000000000000000000";

static void add_text(struct str *out, const char *text)
{
	str_addf(out, "%zu:", strlen(text));
	str_add(out, text);
	str_add_char(out, ',');
}

static void add_number(struct str *out, int64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRId64, number);
	add_text(out, digits);
}

void chain_hash(const char previous[static HASH_HEX], const struct audit_row *row,
		char out[static HASH_HEX])
{
	const struct audit_who *who = &row->who;
	owned(str_done) struct str text = str_new(SIZE_MAX / 2); /* rows are short: as they came */

	add_text(&text, previous);
	add_number(&text, row->id);
	add_number(&text, row->at_ms);
	add_number(&text, who->actor_id);
	add_text(&text, who->actor);
	add_number(&text, who->token_id);
	add_text(&text, who->token);
	add_text(&text, who->address);
	add_text(&text, who->via);
	add_text(&text, who->request);
	add_text(&text, who->agent);
	add_text(&text, row->action);
	add_text(&text, row->target);
	add_text(&text, row->detail);
	hash_hex(text.data, text.length, out);
}

int chain_head(struct store_db *db, struct chain_head *out, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "SELECT id, hash FROM audit_head");
	int found = store_step(q, err);

	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_SYSTEM, "the audit has lost its head");
	out->id = store_int(q, 0);
	snprintf(out->hash, sizeof(out->hash), "%s", store_text(q, 1));
	return 0;
}

int chain_advance(struct store_db *db, const struct audit_row *row, struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "UPDATE audit_head SET id = ?, hash = ?");

	store_bind_int(q, row->id);
	store_bind_text(q, row->hash);
	return store_step(q, err);
}

int chain_head_parse(const char *text, struct chain_head *out, struct err *err)
{
	char *end;
	int64_t id = strtoll(text, &end, 10);

	if (id < 1 || *end != ':' || !hex_is(end + 1, HASH_HEX - 1))
		return err_set(err, ERR_INVALID, "a head of the audit is ID:HASH, not %.100s",
			       text);
	out->id = id;
	snprintf(out->hash, sizeof(out->hash), "%s", end + 1);
	return 0;
}

/* A row behind the last one that is right. NULL: it is right too. */
static const char *fault_of(const struct chain_head *last, const struct audit_row *row,
			    const struct chain_head *kept)
{
	char hash[HASH_HEX];

	if (row->id != last->id + 1)
		return "is missing";
	chain_hash(last->hash, row, hash);
	if (strcmp(hash, row->hash) != 0)
		return "does not follow from the rows before it";
	if (kept && kept->id == row->id && strcmp(kept->hash, row->hash) != 0)
		return "has not the hash that was kept";
	return NULL;
}

static void blame(struct chain_report *report, int64_t id, const char *fault)
{
	report->bad_id = id;
	report->fault = fault;
}

/* The rows are right up to `last`, and there are no more. */
static void check_end(const struct chain_head *last, const struct chain_head *kept,
		      struct chain_report *report)
{
	const struct chain_head *head = &report->head;

	if (last->id < head->id || (kept && last->id < kept->id))
		blame(report, last->id + 1, "is missing");
	else if (last->id > head->id)
		blame(report, head->id + 1, "is behind the end that was noted");
	else if (strcmp(last->hash, head->hash) != 0)
		blame(report, last->id, "is not the end that was noted");
}

static int walk(struct store_query *q, const struct chain_head *kept, struct chain_head *last,
		struct chain_report *report, struct err *err)
{
	struct audit_row row;
	int found;

	while ((found = store_step(q, err)) > 0) {
		audit_read(q, &row);
		blame(report, last->id + 1, fault_of(last, &row, kept));
		if (report->fault)
			return 0;
		last->id = row.id;
		snprintf(last->hash, sizeof(last->hash), "%s", row.hash);
		report->rows++;
	}
	return found;
}

int chain_verify(struct store_db *db, const struct chain_head *kept, struct chain_report *out,
		 struct err *err)
{
	owned(store_query_end) struct store_query *q =
		store_query(db, "SELECT " AUDIT_COLUMNS " FROM audit ORDER BY id");
	struct chain_report report = {0};
	struct chain_head last = {0};

	memcpy(last.hash, genesis, sizeof(genesis));
	if (chain_head(db, &report.head, err) < 0 || walk(q, kept, &last, &report, err) < 0)
		return -1;
	if (!report.fault) {
		report.bad_id = 0;
		check_end(&last, kept, &report);
	}
	*out = report;
	return 0;
}
