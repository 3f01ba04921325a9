#include "daemon/check/checkup.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "daemon/owner.h"
#include "store/audit.h"

/* A call that is half done when we first look has ended by then, or waits for a slow disk. */
enum { SETTLE_LOOKS = 20, SETTLE_PAUSE_NS = 200 * 1000 * 1000 };

static const char *const names[CHECKUP_SEVERITY_COUNT] = {
	[CHECKUP_MENDED] = "mended", [CHECKUP_WARNING] = "warning", [CHECKUP_PROBLEM] = "problem"};

/* A name from the disk could move the cursor of whoever reads this. */
static void print_text(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(iscntrl((unsigned char)*text) ? '?' : *text, out);
}

void checkup_say(struct checkup *checkup, const struct checkup_finding *finding)
{
	checkup->counts[finding->severity]++;
	fprintf(checkup->out, "%s: ", names[finding->severity]);
	print_text(checkup->out, finding->thing);
	fputs(": ", checkup->out);
	print_text(checkup->out, finding->what);
	if (finding->todo) {
		fputs("; ", checkup->out);
		print_text(checkup->out, finding->todo);
	}
	fputc('\n', checkup->out);
	fflush(checkup->out);
}

static void like_printf(3, 0) say_formatted(struct checkup *checkup, struct checkup_finding finding,
					    const char *format, va_list args)
{
	char *text = NULL;
	owned(free) char *what = vasprintf(&text, format, args) < 0 ? NULL : text;

	finding.what = what ? what : format;
	checkup_say(checkup, &finding);
}

void checkup_problem(struct checkup *checkup, const char *thing, const char *todo,
		     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_formatted(
		checkup,
		(struct checkup_finding){.severity = CHECKUP_PROBLEM, .thing = thing, .todo = todo},
		format, args);
	va_end(args);
}

void checkup_warning(struct checkup *checkup, const char *thing, const char *todo,
		     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_formatted(
		checkup,
		(struct checkup_finding){.severity = CHECKUP_WARNING, .thing = thing, .todo = todo},
		format, args);
	va_end(args);
}

/* The count of those before is that of the lines. */
static void remember(struct checkup *checkup, const struct checkup_finding *finding)
{
	size_t count = checkup->counts[CHECKUP_MENDED];

	checkup->mended = mem_grow(checkup->mended, count + 1, sizeof(*checkup->mended));
	checkup->mended[count] = mem_format("%s: %s", finding->thing, finding->what);
}

/* Things are of the machine: their rows are of none of its accounts. */
static int write_audit(struct checkup *checkup, struct err *err)
{
	const struct audit_who who = {
		.actor = checkup->caller, .address = "local", .via = "espaced check --repair"};
	struct audit_entry entry = {.who = &who, .action = "check.mend", .target = "the hub"};
	owned(store_tx_end) struct store_tx *tx = NULL;

	if (!checkup->store || checkup->counts[CHECKUP_MENDED] == 0)
		return 0;
	if (store_tx_begin(checkup->store, &tx, err) < 0)
		return -1;
	for (size_t i = 0; i < checkup->counts[CHECKUP_MENDED]; i++) {
		entry.detail = checkup->mended[i];
		if (audit_add(store_tx_db(tx), &entry, err) < 0)
			return -1;
	}
	return store_tx_commit(take(tx), err);
}

void checkup_done(struct checkup *checkup)
{
	for (size_t i = 0; i < checkup->counts[CHECKUP_MENDED]; i++)
		free(checkup->mended[i]);
	free(checkup->mended);
	store_close(checkup->store);
}

void checkup_mend(struct checkup *checkup, const struct checkup_finding *finding,
		  int (*mend)(void *arg, struct err *err), void *arg)
{
	struct checkup_finding told = *finding;
	struct err err = ERR_INIT;

	if (!checkup->repairs)
		told.todo = "check --repair mends it";
	else if (mend(arg, &err) == 0)
		told.severity = CHECKUP_MENDED;
	else
		told.todo = err.text;
	if (told.severity == CHECKUP_MENDED)
		remember(checkup, &told);
	checkup_say(checkup, &told);
}

bool checkup_settles(const struct checkup *checkup, bool (*is_wrong)(void *arg), void *arg)
{
	for (int i = 0; is_wrong(arg); i++) {
		if (!checkup->hub_runs || i == SETTLE_LOOKS)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = SETTLE_PAUSE_NS}, NULL);
	}
	return false;
}

/* One that can't look hides nothing from the others. */
static void look(struct checkup *checkup, const struct checkup_area *area)
{
	struct err err = ERR_INIT;

	if (area->look(checkup, &err) < 0)
		checkup_problem(checkup, area->name, NULL, "not checked to its end: %s", err.text);
}

static void look_all(struct checkup *checkup, const struct checkup_area *areas,
		     enum checkup_rights rights)
{
	for (; areas->name; areas++) {
		if (areas->rights != rights)
			continue;
		if (rights == CHECKUP_AS_ROOT && !checkup->is_root)
			checkup_warning(checkup, areas->name, "run check as root",
					"only root can look at it");
		else
			look(checkup, areas);
	}
}

int checkup_run(struct checkup *checkup, const struct checkup_area *areas, struct err *err)
{
	const size_t *counts = checkup->counts;

	look_all(checkup, areas, CHECKUP_AS_ROOT);
	if (owner_become(checkup->dir->path, err) < 0)
		return -1;
	look_all(checkup, areas, CHECKUP_AS_OWNER);
	if (write_audit(checkup, err) < 0)
		return -1;
	fprintf(checkup->out, "%zu problems, %zu warnings, %zu mended\n", counts[CHECKUP_PROBLEM],
		counts[CHECKUP_WARNING], counts[CHECKUP_MENDED]);
	return counts[CHECKUP_PROBLEM] > 0;
}
