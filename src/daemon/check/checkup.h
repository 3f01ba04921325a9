#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "daemon/options.h"
#include "store/store.h"

/*
 * The word `check [--repair]`: is everything of a data directory as it must be, on the disk and on
 * this machine, whether a hub runs on it or not?
 *
 * There is a file for each area, with one function that looks and reports (checkup_machine() in
 * machine.c); the table in areas.c names them all. An area reports each fault by one line: how bad
 * it is, the thing, what is wrong, what to do. With --repair it mends what can be mended without
 * losing anything that may be somebody's, and says so.
 *
 * Rights: areas of root come first. Then the process becomes the owner of the directory for good,
 * and only then opens what a program of that user could have written.
 *
 * In flight: a running hub makes and moves things all the time. An area that compares two places
 * asks checkup_settles() before it believes what it saw.
 */
enum checkup_severity {
	CHECKUP_MENDED,  /* it was wrong */
	CHECKUP_WARNING, /* works, and deserves a look */
	CHECKUP_PROBLEM, /* somebody must act */
	CHECKUP_SEVERITY_COUNT
};

struct checkup {
	const struct settings *settings;
	const struct datadir *dir;
	struct store *store; /* once the area of the database found it usable; else NULL */
	bool is_root;        /* when we started */
	bool repairs;
	bool hub_runs;
	FILE *out;
	const char *caller; /* who repairs, for the audit: "uid 0" */
	char **mended;      /* "THING: WHAT" of each, until they are in the audit */
	size_t counts[CHECKUP_SEVERITY_COUNT];
};

/* One report. Texts of others (names, messages) may stand in it: control characters are hidden. */
struct checkup_finding {
	enum checkup_severity severity;
	const char *thing; /* "espace.db", "repos/ID.git", "bridge es-ID" */
	const char *what;  /* "schema 7 of a newer program" */
	const char *todo;  /* "start that program"; NULL where nothing can be done */
};
void checkup_say(struct checkup *checkup, const struct checkup_finding *finding);

/* The same with the text of `what` formatted. */
void checkup_problem(struct checkup *checkup, const char *thing, const char *todo,
		     const char *format, ...) like_printf(4, 5);
void checkup_warning(struct checkup *checkup, const char *thing, const char *todo,
		     const char *format, ...) like_printf(4, 5);

/*
 * Something that `mend` can put right without loss: called with --repair, reported as mended where
 * it succeeds, and told to the audit at the end, if the database is usable. Without --repair the
 * finding is reported, and that --repair mends it.
 */
void checkup_mend(struct checkup *checkup, const struct checkup_finding *finding,
		  int (*mend)(void *arg, struct err *err), void *arg);

/*
 * Does what looks wrong stay so? Asks `is_wrong` again for some seconds where a hub runs, since a
 * call may be half done; once where none does.
 */
bool checkup_settles(const struct checkup *checkup, bool (*is_wrong)(void *arg), void *arg);

/* Who an area looks as. */
enum checkup_rights {
	CHECKUP_AS_ROOT,  /* left out, with a warning, where we are not root */
	CHECKUP_AS_OWNER, /* the owner of the data directory, or whoever may read it */
};

struct checkup_area {
	const char *name;
	enum checkup_rights rights;
	/* 0 also where faults were found. Errors: what keeps it from looking. */
	int (*look)(struct checkup *checkup, struct err *err);
};

/* In their order; ends with one without a name. */
extern const struct checkup_area checkup_areas[];

/* Look at everything and print a summary. 0 no problem, 1 problems are left, -1 failed. */
must_check int checkup_run(struct checkup *checkup, const struct checkup_area *areas,
			   struct err *err);

/* Give back what the areas have opened and noted. */
void checkup_done(struct checkup *checkup);

/* check [--repair], printed on stdout. The same results. */
must_check int checkup_word(const struct options *options, struct err *err);

/* What to ask the rows; each selects what to call the things that are wrong. */
struct checkup_question {
	const char *sql;
	const char *what;
	const char *todo;
};
/* Ask all, in one reading; nothing where there is no usable database. */
must_check int checkup_ask(struct checkup *checkup, const struct checkup_question *list,
			   size_t count, struct err *err);

/* --- the areas --- */

/* Programs, kernel, room on the disk. */
int checkup_machine(struct checkup *checkup, struct err *err);
/* Names of Spaces on this machine, of the hub inside of Spaces. */
int checkup_names(struct checkup *checkup, struct err *err);
/* espace.db: pages, references, schema. Opens checkup->store. */
int checkup_database(struct checkup *checkup, struct err *err);
/* Firewalls of others that cut Spaces off. */
int checkup_firewall(struct checkup *checkup, struct err *err);
/* Rows that contradict each other. */
int checkup_rows(struct checkup *checkup, struct err *err);
/* The ledger against the runs. */
int checkup_ledger(struct checkup *checkup, struct err *err);
/* The chain of the audit. */
int checkup_audit(struct checkup *checkup, struct err *err);
/* repos/: folders against rows, git fsck, what crashes have left. */
int checkup_repositories(struct checkup *checkup, struct err *err);
/* run/ and what the hub has on this machine: runs, cgroups, links, bridge, nft table. */
int checkup_instance(struct checkup *checkup, struct err *err);
/* Monitors, cgroups and loop devices, one by one: of which run? */
int checkup_orphans(struct checkup *checkup, struct err *err);
/* What runs see at /data. */
int checkup_mounts(struct checkup *checkup, struct err *err);
/* Owners and modes. */
int checkup_files(struct checkup *checkup, struct err *err);
/* The disks of Spaces that have storage. */
int checkup_disks(struct checkup *checkup, struct err *err);
/* layers/: names, owners, the base system, what was never finished. */
int checkup_layers(struct checkup *checkup, struct err *err);
/* run/routes: half-written entries, and those of Spaces that are gone. */
int checkup_routes(struct checkup *checkup, struct err *err);
