#pragma once

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "daemon/options.h"
#include "runner/runner.h"

/*
 * The internal words @hub and @runner: what the keeper starts (role.h).
 */
must_check int run_role_hub(const struct options *options, struct err *err);
must_check int run_role_runner(const struct options *options, struct err *err);

/* A runner's configuration with the paths that it points to. */
struct run_role_setup {
	struct runner_config config;
	char *uv;
	char *steps;
};

/* Errors: ERR_NOT_FOUND where a companion of the program is missing. */
must_check int run_role_configure(const struct settings *settings, const struct datadir *dir,
				  struct run_role_setup *out, struct err *err);
void run_role_setup_done(struct run_role_setup *setup);
static inline void own_run_role_setup_done(struct run_role_setup *held)
{
	run_role_setup_done(held);
}
