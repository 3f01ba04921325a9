#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "runner/swap.h"

/*
 * Runner: the hands of the local engine. The only process that mounts, unshares and enters
 * namespaces; it runs as root and reads nothing from the network. It obeys the hub through one
 * socket pair (engine/request.h) and believes nothing that it reads there.
 *
 * It keeps no state of its own: every run has a folder in run/bundles and a conmon that outlives
 * us, and a new runner adopts what it finds.
 *
 * Files: one worker's job from folder to process is start.c, its end finish.c; what a run has is in
 * layers.c, upper.c, mounts.c (file system), network.c, bundle.c and devices.c (runc's
 * configuration), container.c (conmon and runc), cgroup.c, output.c and harvest.c (the layer that a
 * build makes).
 */
enum network_egress {
	NETWORK_EGRESS_NONE,   /* nothing outside but what is allowed by name */
	NETWORK_EGRESS_PUBLIC, /* public addresses */
	NETWORK_EGRESS_ALL,    /* private ones as well */
};

struct runner_config {
	int hub_fd;      /* requests and replies: SOCK_SEQPACKET */
	int lifeline_fd; /* end of file: the keeper is gone, and so are we; -1 for none */
	const struct datadir *dir;
	const char *uv_path;    /* on the host; bound at /usr/local/bin/uv of builds */
	const char *init_path;  /* a static init such as catatonit, pid 1 of every run */
	const char *steps_path; /* espace-steps, for builds */
	uint16_t hub_port;      /* that Spaces may reach on their gateway */
	enum network_egress egress;
	struct swap_plan swap;
	/* Addresses or prefixes that runs may reach in any case; NULL-terminated, or NULL. */
	const char *const *allow;
	const char *const *cdi; /* folders of what cards need (engine/cdi.h), NULL-terminated */
};

/*
 * Serve until the lifeline ends or SIGTERM comes; runs go on. Returns 0 then.
 * Errors: whatever makes it impossible to start a run at all, such as no bridge.
 */
must_check int runner_main(const struct runner_config *config, struct err *err);

/*
 * End everything of this instance that a runner has made: runs, resolver, links, nft table,
 * cgroups, swap space, bundles. For when no runner lives any more; works from what it finds on the
 * machine, whatever died before. Needs no hub and no lifeline in `config`. Idempotent, at most some
 * seconds.
 */
must_check int runner_stop_all(const struct runner_config *config, struct err *err);
