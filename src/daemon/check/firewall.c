#include <string.h>

#include "daemon/check/checkup.h"
#include "runner/firewall.h"

static void report(void *arg, const struct firewall_finding *finding)
{
	bool inwards = strcmp(finding->hook, "input") == 0;

	checkup_warning(arg, "firewall", finding->repair, "the chain %s drops what Spaces %s",
			finding->chain, inwards ? "ask the hub" : "ask the outside");
}

int checkup_firewall(struct checkup *checkup, struct err *err)
{
	return firewall_look(checkup->dir, report, checkup, err);
}
