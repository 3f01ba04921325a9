#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/beneath.h"
#include "runner/cgroup.h"
#include "runner/check.h"
#include "runner/data.h"
#include "runner/network.h"
#include "runner/output.h"
#include "runner/resolver.h"
#include "runner/runner.h"
#include "runner/strays.h"

/*
 * The end of an instance. It goes by what the machine shows, not by what we remember: the cgroup
 * tells which processes are Spaces, the command line which conmon is ours, names tell the rest.
 */

/* Outputs of builds that were cut off. */
static int drop_outputs(const struct datadir *dir, struct err *err)
{
	owned(close) int cache = -1;
	DIR *scopes;
	struct dirent *entry;
	int result;

	if (beneath_open_cache(dir, &cache, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	result = file_remove_tree(cache, "base-new", err);
	scopes = fdopendir(fcntl(cache, F_DUPFD_CLOEXEC, 0));
	while (result == 0 && scopes && (entry = readdir(scopes))) {
		owned(close) int fd = -1;
		DIR *scope;
		struct dirent *output;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(cache, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		scope = fd < 0 ? NULL : fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
		while (result == 0 && scope && (output = readdir(scope)))
			if (str_starts(output->d_name, "out-"))
				result = file_remove_tree(fd, output->d_name, err);
		if (scope)
			closedir(scope);
	}
	if (scopes)
		closedir(scopes);
	return result;
}

static int remove_state(const struct datadir *dir, struct err *err)
{
	static const char *const names[] = {"run/runc",      "run/exit",        "run/sock",
					    "run/slot",      "run/base",        "run/base.conf",
					    "run/base.list", "run/base.sources"};
	owned(free) char *path = datadir_path(dir, "run/bundles");
	DIR *bundles = opendir(path);
	struct dirent *entry;
	int result = 0;

	while (result == 0 && bundles && (entry = readdir(bundles)))
		if (entry->d_name[0] != '.')
			result = file_remove_tree(dirfd(bundles), entry->d_name, err);
	if (bundles)
		closedir(bundles);
	for (size_t i = 0; result == 0 && i < sizeof(names) / sizeof(names[0]); i++)
		result = file_remove_tree(dir->fd, names[i], err);
	return result;
}

int runner_stop_all(const struct runner_config *config, struct err *err)
{
	const struct datadir *dir = config->dir;

	/* Twice: a conmon that was just starting may have made a container behind our back. */
	for (int i = 0; i < 2; i++)
		if (cgroup_kill(dir, NULL, err) < 0 || strays_kill(dir, NULL, err) < 0)
			return err_in(err, "stop");
	resolver_kill(dir);
	if (network_down(dir, err) < 0 || cgroup_remove(dir, NULL, err) < 0 ||
	    swap_down(dir, err) < 0 || drop_outputs(dir, err) < 0 || remove_state(dir, err) < 0 ||
	    output_sweep(dir, err) < 0 || data_settle(dir, err) < 0)
		return err_in(err, "stop");
	log_info("runner.stopped", "instance=%s", dir->instance);
	return 0;
}
