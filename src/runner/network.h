#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"
#include "runner/runner.h"

/*
 * The network of an instance: a bridge es-ID whose ports can't see each other, the gateway on slot
 * 1, one nft table espace_ID, and a veth pair for each run. Spaces reach the hub's port and the
 * name server on the gateway, nothing else of this machine, nor each other. What they reach outside
 * is the setting's choice; those in closed slots (slots.h) reach nothing there.
 */

/* Make or complete bridge, rules and forwarding. Idempotent. */
must_check int network_up(const struct runner_config *config, struct err *err);

/* Give the network namespace of `pid` its link, address and route. */
must_check int network_attach(const struct datadir *dir, unsigned slot, pid_t pid, struct err *err);

/* Remove a run's link at once: the kernel would take some moments, and the name is used again. */
void network_detach(const struct datadir *dir, unsigned slot);

/* How many bytes a run has received and sent. Errors: ERR_SYSTEM where its link is gone. */
must_check int network_counts(const struct datadir *dir, unsigned slot, uint64_t *received,
			      uint64_t *sent, struct err *err);

/* Remove all links and the nft table. Idempotent. */
must_check int network_down(const struct datadir *dir, struct err *err);

/* Errors: ERR_INVALID for an allowed address that is none: it would become a part of the rules. */
must_check int network_check(const struct runner_config *config, struct err *err);

/* The rules, for nft -f. */
void network_rules(const struct runner_config *config, struct str *out);
