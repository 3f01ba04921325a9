#include "daemon/check/checkup.h"

/* An area that uses checkup->store comes behind the database's. */
const struct checkup_area checkup_areas[] = {
	{"firewall", CHECKUP_AS_ROOT, checkup_firewall},
	{"instance", CHECKUP_AS_ROOT, checkup_instance},
	{"orphans", CHECKUP_AS_ROOT, checkup_orphans},
	{"mounts", CHECKUP_AS_ROOT, checkup_mounts},
	{"files", CHECKUP_AS_ROOT, checkup_files},
	{"machine", CHECKUP_AS_OWNER, checkup_machine},
	{"names", CHECKUP_AS_OWNER, checkup_names},
	{"database", CHECKUP_AS_OWNER, checkup_database},
	{"rows", CHECKUP_AS_OWNER, checkup_rows},
	{"ledger", CHECKUP_AS_OWNER, checkup_ledger},
	{"audit", CHECKUP_AS_OWNER, checkup_audit},
	{"repositories", CHECKUP_AS_OWNER, checkup_repositories},
	{"disks", CHECKUP_AS_OWNER, checkup_disks},
	{"layers", CHECKUP_AS_OWNER, checkup_layers},
	{"routes", CHECKUP_AS_OWNER, checkup_routes},
	{0},
};
