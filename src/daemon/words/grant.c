#include <stdlib.h>
#include <string.h>

#include "auth/account.h"
#include "base/mem.h"
#include "daemon/words/usage.h"
#include "daemon/words/words.h"
#include "space/grant.h"
#include "space/hardware.h"
#include "store/audit.h"

#define LINE      "grant USER|ORG --hardware FLAVOR [--hours H | --revoke]"

#define HOUR_MS   3.6e6
#define HOURS_MAX 1e6

/* What was typed. */
struct asked {
	const char *name;
	const char *flavor;
	const char *hours;
	bool revoke;
};

static int parse(int argc, char **argv, struct asked *out, struct err *err)
{
	const struct usage_option options[] = {
		{"--hardware", USAGE_TEXT, &out->flavor},
		{"--hours", USAGE_TEXT, &out->hours},
		{"--revoke", USAGE_FLAG, &out->revoke},
	};
	const struct usage usage = {LINE, options, sizeof(options) / sizeof(options[0]), &out->name,
				    1};

	if (usage_parse(&usage, argc, argv, err) < 0)
		return -1;
	if (!out->flavor || (out->hours && out->revoke))
		return err_set(err, ERR_INVALID, "usage: %s", LINE);
	return 0;
}

static int read_hours(const char *text, int64_t *out, struct err *err)
{
	char *end;
	double hours;

	*out = GRANT_ANY;
	if (!text)
		return 0;
	hours = strtod(text, &end);
	if (end == text || *end || !(hours * HOUR_MS >= 1 && hours <= HOURS_MAX)) /* no NaN */
		return err_set(err, ERR_INVALID,
			       "\"%.40s\" is no number of hours above 0, up to %g; usage: %s", text,
			       HOURS_MAX, LINE);
	*out = (int64_t)(hours * HOUR_MS + 0.5);
	return 0;
}

static int tell(struct store_db *db, const struct asked *asked, struct err *err)
{
	owned(free) char *detail =
		mem_format("%s%s%s%s", asked->flavor, asked->hours ? ", hours: " : "",
			   asked->hours ? asked->hours : "", asked->revoke ? ", taken back" : "");
	const struct audit_entry entry = {
		.action = asked->revoke ? "grant.revoke" : "grant.give",
		.target = asked->name,
		.detail = detail,
	};

	return audit_add(db, &entry, err);
}

static int change(struct store_db *db, const struct asked *asked, int64_t limit_ms, struct err *err)
{
	struct grant grant = {.flavor = asked->flavor, .limit_ms = limit_ms};
	struct account account;
	int found = account_find(db, asked->name, &account, err);
	int changed;

	if (found <= 0)
		return found < 0 ? -1
				 : err_set(err, ERR_NOT_FOUND,
					   "there is no user or organisation %.96s", asked->name);
	grant.account_id = account.id;
	changed = asked->revoke ? grant_revoke(db, account.id, asked->flavor, err)
				: grant_give(db, &grant, err);
	if (changed < 0)
		return err_in(err, "%s for %s", asked->flavor, account.name);
	return changed > 0 && tell(db, asked, err) < 0 ? -1 : changed;
}

int words_grant(const struct words_call *call, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	const struct hardware_flavor *flavor;
	struct asked asked = {0};
	int64_t limit_ms;
	int changed;

	if (parse(call->argc, call->argv, &asked, err) < 0 ||
	    read_hours(asked.hours, &limit_ms, err) < 0 ||
	    hardware_need(call->hardware, asked.flavor, &flavor, err) < 0)
		return -1;
	asked.flavor = flavor->name;
	if (strcmp(asked.flavor, HARDWARE_BASIC) == 0)
		return err_set(err, ERR_INVALID, "%s needs no grant", HARDWARE_BASIC);
	if (store_tx_begin(call->store, &tx, err) < 0)
		return -1;
	changed = change(store_tx_db(tx), &asked, limit_ms, err);
	if (changed < 0 || store_tx_commit(take(tx), err) < 0)
		return -1;
	fprintf(call->out, "grant of %s to %s %s\n", asked.flavor, asked.name,
		changed == 0   ? asked.revoke ? "is not there" : "is there already"
		: asked.revoke ? "taken back"
			       : "given");
	return 0;
}
