#include "daemon/run_role.h"

#include <string.h>

#include "daemon/door.h"
#include "daemon/exe.h"
#include "daemon/hub.h"
#include "daemon/role.h"

#define INIT_PROGRAM "/usr/bin/catatonit"

static enum network_egress egress_of(const char *word)
{
	if (strcmp(word, "all") == 0)
		return NETWORK_EGRESS_ALL;
	return strcmp(word, "none") == 0 ? NETWORK_EGRESS_NONE : NETWORK_EGRESS_PUBLIC;
}

int run_role_configure(const struct settings *settings, const struct datadir *dir,
		       struct run_role_setup *out, struct err *err)
{
	owned(run_role_setup_done) struct run_role_setup setup = {
		.config = {.hub_fd = -1,
			   .lifeline_fd = -1,
			   .dir = dir,
			   .init_path = INIT_PROGRAM,
			   .egress = egress_of(settings->network_egress),
			   .allow = (const char *const *)settings->network_allow.items,
			   .cdi = (const char *const *)settings->hardware_cdi.items}};

	if (door_port(settings, &setup.config.hub_port, err) < 0 ||
	    exe_companion("uv", &setup.uv, err) < 0 ||
	    exe_companion("espace-steps", &setup.steps, err) < 0)
		return -1;
	setup.config.uv_path = setup.uv;
	setup.config.steps_path = setup.steps;
	*out = setup;
	setup = (struct run_role_setup){0};
	return 0;
}

void run_role_setup_done(struct run_role_setup *setup)
{
	free(setup->uv);
	free(setup->steps);
	*setup = (struct run_role_setup){0};
}

int run_role_runner(const struct options *options, struct err *err)
{
	owned(datadir_done) struct datadir dir = {.fd = -1};
	owned(close) int claim = -1;
	owned(run_role_setup_done) struct run_role_setup setup = {0};

	if (role_hide(err) < 0 || datadir_open(options->data, &dir, err) < 0 ||
	    role_claim(&dir, ROLE_RUNNER, &claim, err) < 0 ||
	    run_role_configure(&options->settings, &dir, &setup, err) < 0 ||
	    swap_parse(options->settings.sleep_swap, &setup.config.swap, err) < 0)
		return -1;
	setup.config.hub_fd = ROLE_FD_RUNNER;
	setup.config.lifeline_fd = ROLE_FD_LIFELINE;
	return runner_main(&setup.config, err);
}

int run_role_hub(const struct options *options, struct err *err)
{
	owned(datadir_done) struct datadir dir = {.fd = -1};
	owned(close) int claim = -1;

	if ((options->settings.hub_confine && role_hide(err) < 0) ||
	    datadir_open(options->data, &dir, err) < 0 ||
	    role_claim(&dir, ROLE_HUB, &claim, err) < 0)
		return -1;
	return hub_run(&(struct hub_config){.dir = &dir, .settings = &options->settings}, err);
}
