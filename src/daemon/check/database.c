#include "base/file.h"
#include "daemon/check/checkup.h"
#include "store/inspect.h"

#define DATABASE "espace.db"

#define RESTORE  "stop the hub and bring a backup back, or ask SQLite's .recover for what is left"

static void add_fault(void *arg, const char *fault)
{
	checkup_problem(arg, DATABASE, RESTORE, "%s", fault);
}

static void compare_versions(struct checkup *checkup, const struct inspect *found)
{
	if (found->version > found->known)
		checkup_problem(checkup, DATABASE, "run that program",
				"schema %lld is a newer program's; this one knows %lld",
				(long long)found->version, (long long)found->known);
	else if (found->version < found->known)
		checkup_warning(checkup, DATABASE, "the next start of the hub takes them",
				"%lld steps of the schema are missing; rows are not looked at",
				(long long)(found->known - found->version));
}

int checkup_database(struct checkup *checkup, struct err *err)
{
	owned(free) char *path = datadir_path(checkup->dir, DATABASE);
	size_t faults = checkup->counts[CHECKUP_PROBLEM];
	struct inspect found = {0};

	if (!file_exists(checkup->dir->fd, DATABASE)) {
		checkup_problem(checkup, DATABASE, "bring a backup back", "it is missing");
		return 0;
	}
	if (inspect_database(path, add_fault, checkup, &found, err) < 0)
		return -1;
	compare_versions(checkup, &found);
	if (checkup->counts[CHECKUP_PROBLEM] > faults || found.version != found.known)
		return 0;
	return store_open(path, &checkup->store, err);
}
