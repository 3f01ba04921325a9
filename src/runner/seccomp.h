#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/own.h"

/*
 * The filter of system calls for runs: the profile of Debian's package
 * golang-github-containers-common, converted to runc's form for a process without capabilities, and
 * tightened: no mounts, no namespaces, no keys, no io_uring, whatever a user namespace would allow;
 * sockets of the usual families only; and calls of the machine's native kind only.
 */

/* Read the machine's profile and convert it. For json_decref(). */
must_check int runner_seccomp_load(json_t **out, struct err *err);

/* Convert a profile for this architecture, "SCMP_ARCH_X86_64". Errors: ERR_INVALID. */
must_check int runner_seccomp_convert(const json_t *profile, const char *architecture, json_t **out,
				      struct err *err);
