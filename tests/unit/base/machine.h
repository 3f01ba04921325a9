#pragma once

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

/*
 * A machine to itself for a test that claims data directories: its own /run and /srv, and a network
 * with nothing in it, so that neither sees what runs here. Needs root; false without.
 */
static inline bool machine_become(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/run", "tmpfs", 0, "mode=0755") == 0 &&
	       mount("none", "/srv", "tmpfs", 0, "mode=0755") == 0;
}

/* An address on an interface of that machine, made by ip(8): "lo", "10.213.0.5/24". */
static inline const char *const *machine_address(const char *interface, const char *address)
{
	static const char *argv[] = {"ip", "address", "add", NULL, "dev", NULL, NULL};

	argv[3] = address;
	argv[5] = interface;
	return argv;
}
