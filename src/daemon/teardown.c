#include "daemon/teardown.h"

#include "base/log.h"
#include "daemon/nginx.h"
#include "daemon/role.h"
#include "daemon/run_role.h"
#include "daemon/rundir.h"
#include "runner/runner.h"

/* Hub and runner notice the end of their keeper by themselves; wait until they have. */
static int wait_roles(const struct datadir *dir, struct err *err)
{
	owned(close) int hub = -1;
	owned(close) int runner = -1;

	if (!rundir_is_mounted(dir))
		return 0;
	if (role_claim(dir, ROLE_HUB, &hub, err) < 0 ||
	    role_claim(dir, ROLE_RUNNER, &runner, err) < 0)
		return -1;
	return 0;
}

int teardown(const struct datadir *dir, const struct settings *settings, struct err *err)
{
	owned(run_role_setup_done) struct run_role_setup setup = {0};

	nginx_stop(dir);
	if (wait_roles(dir, err) < 0)
		return -1;
	if (run_role_configure(settings, dir, &setup, err) < 0 ||
	    runner_stop_all(&setup.config, err) < 0 || rundir_unmount(dir, err) < 0)
		return -1;
	log_info("teardown.done", "instance=%s", dir->instance);
	return 0;
}
