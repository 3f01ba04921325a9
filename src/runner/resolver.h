#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "base/own.h"
#include "runner/runner.h"

/*
 * The name server of an instance: dnsmasq on the gateway. hub.espace and all below it is the
 * gateway, the rest goes to the machine's own resolver. It outlives the runner, like the Spaces
 * that ask it; run/dnsmasq.pid holds its process id and start time, and a new runner watches it
 * again.
 */
struct resolver;

must_check int resolver_new(const struct runner_config *config, struct loop *loop,
			    struct resolver **out, struct err *err);
void resolver_free(struct resolver *resolver); /* dnsmasq goes on */
DEFINE_OWNED(struct resolver *, resolver_free);

/* End the dnsmasq that the file names. None is fine. */
void resolver_kill(const struct datadir *dir);
