#include "daemon/check/checkup.h"

/*
 * Is the ledger (space/ledger.h) what the runs' rows and its own ends say? All that is counted can
 * be computed again from these: where a run began and ended, and each span's two moments. A
 * transaction writes a run and its span together, so nothing is in flight here. Spans outlive the
 * rows of runs, whose numbers are given again: a span is of the run that has its number and its
 * key.
 */
#define REMEDY "correct the row of the table ledger by hand: use is counted by it"

static const struct checkup_question questions[] = {
	{"SELECT 'ledger of ' || run_key FROM ledger WHERE to_ms IS NOT NULL AND used_ms <>"
	 " CASE WHEN boot = to_boot AND boot <> '' THEN max(0, to_mono - from_mono)"
	 " ELSE max(0, to_ms - from_ms) END AND run_id <> 0 AND boot <> ''",
	 "a span is not as long as it is from its beginning to its end", REMEDY},
	{"SELECT 'ledger of ' || run_key FROM ledger WHERE (to_ms IS NULL) <> (used_ms IS NULL)"
	 " OR used_ms < 0",
	 "a span has an end and no length, or the reverse", REMEDY},
	{"SELECT 'ledger of ' || l.run_key FROM ledger l WHERE l.to_ms IS NULL"
	 " AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.key = l.run_key AND r.ended_ms IS NULL)",
	 "a span is open and its run has ended", REMEDY},
	{"SELECT 'ledger of ' || r.key FROM runs r WHERE r.kind = 'app' AND r.ended_ms IS NULL"
	 " AND r.slept_ms IS NOT NULL AND EXISTS"
	 " (SELECT 1 FROM ledger l WHERE l.run_key = r.key AND l.to_ms IS NULL)",
	 "the run sleeps and is counted", REMEDY},
	{"SELECT 'ledger of ' || r.key FROM runs r WHERE r.kind = 'app' AND r.ended_ms IS NULL"
	 " AND r.started_ms IS NOT NULL AND r.slept_ms IS NULL AND EXISTS"
	 " (SELECT 1 FROM ledger l WHERE l.run_key = r.key) AND NOT EXISTS"
	 " (SELECT 1 FROM ledger l WHERE l.run_key = r.key AND l.to_ms IS NULL)",
	 "the run is awake and no longer counted", "restart the Space"},
	{"SELECT DISTINCT 'ledger of ' || a.run_key FROM ledger a JOIN ledger b"
	 " ON b.run_id = a.run_id AND b.run_key = a.run_key AND b.id > a.id"
	 " WHERE a.run_id <> 0 AND a.boot <> ''"
	 " AND (a.to_ms IS NULL OR (b.boot = a.to_boot AND b.from_mono < a.to_mono))",
	 "two spans of one run overlap", REMEDY},
	{"SELECT 'ledger of ' || r.key FROM runs r WHERE r.kind = 'app'"
	 " AND r.started_ms IS NOT NULL AND NOT EXISTS"
	 " (SELECT 1 FROM ledger l WHERE l.run_key = r.key)",
	 "the run has started and is not counted", "restart the Space, if the run is still there"},
	{"SELECT 'ledger of ' || r.key FROM runs r JOIN ledger l ON l.run_id = r.id"
	 " AND l.run_key = r.key WHERE r.kind = 'build' OR l.flavor <> r.flavor"
	 " OR l.price <> r.price",
	 "a span is not of its run's flavor and price", REMEDY},
	{"SELECT 'ledger of ' || r.key FROM runs r JOIN ledger l ON l.id ="
	 " (SELECT min(id) FROM ledger WHERE run_id = r.id AND run_key = r.key)"
	 " WHERE l.boot <> '' AND l.from_ms <> r.started_ms",
	 "its first span does not begin when the run started", REMEDY},
	{"SELECT 'ledger of ' || r.key FROM runs r JOIN ledger l ON l.id ="
	 " (SELECT max(id) FROM ledger WHERE run_id = r.id AND run_key = r.key)"
	 " WHERE l.boot <> '' AND r.slept_ms IS NULL AND l.to_ms <> r.ended_ms",
	 "its last span does not end when the run ended", REMEDY},
};

int checkup_ledger(struct checkup *checkup, struct err *err)
{
	return checkup_ask(checkup, questions, sizeof(questions) / sizeof(questions[0]), err);
}
