#pragma once

#include <jansson.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"

/*
 * Firewalls of others. A packet must pass every table of the machine: where Docker or ufw drops
 * what no rule of theirs accepts, our own "accept" does not help, and Spaces are cut off. Nothing
 * is changed here; it is told which chain does it, and what its administrator can do.
 */
enum { FIREWALL_NAME_ROOM = 128 };

struct firewall_finding {
	const char *hook;               /* "forward": the outside, "input": the hub and names */
	char chain[FIREWALL_NAME_ROOM]; /* "ip filter FORWARD": family, table and chain */
	char repair[2 * FIREWALL_NAME_ROOM]; /* a command; our own table still decides after it */
};

/* Call `each` for every chain that would drop packets of the instance's runs. */
must_check int firewall_look(const struct datadir *dir,
			     void (*each)(void *arg, const struct firewall_finding *finding),
			     void *arg, struct err *err);

/* The same for a bridge and what `nft --json list ruleset` says. */
void firewall_judge(const char *bridge, const json_t *ruleset,
		    void (*each)(void *arg, const struct firewall_finding *finding), void *arg);
