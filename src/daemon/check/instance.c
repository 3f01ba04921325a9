#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "daemon/check/checkup.h"
#include "daemon/run_role.h"
#include "daemon/rundir.h"
#include "daemon/teardown.h"
#include "runner/check.h"
#include "runner/container.h"
#include "runner/network.h"
#include "runner/record.h"

/*
 * What a data directory has on this machine: run/ with the records of runs, their monitors, cgroups
 * and links, the bridge and the nft table. Either all of it is there or, after `stop`, nothing.
 */
enum { OUTPUT_MAX = 1 << 20, KEYS_MAX = DATADIR_SLOTS };

/* Something of this machine, by its name, that may be ours or not. */
struct thing {
	struct checkup *checkup;
	const char *name;
	unsigned slot;
};

static bool has_link(void *arg)
{
	const struct thing *thing = arg;
	owned(free) char *path = mem_format("/sys/class/net/%s", thing->name);

	return file_exists(AT_FDCWD, path);
}

static bool has_no_link(void *arg)
{
	return !has_link(arg);
}

static bool has_no_table(void *arg)
{
	const struct thing *thing = arg;
	const char *const argv[] = {"nft", "list", "table", "inet", thing->name, NULL};
	owned(str_done) struct str output = str_new(OUTPUT_MAX);
	struct err err = ERR_INIT;

	return proc_run(argv, NULL, &output, &err) < 0 && err.kind == ERR_SYSTEM;
}

/* --- runs --- */

/* A run that should live, and does not. */
static bool is_dead(void *arg)
{
	const struct thing *thing = arg;
	struct record record;
	struct err err = ERR_INIT;
	int fd;

	if (record_read(thing->checkup->dir, thing->name, &record, &err) < 0 ||
	    (record.run.state != ENGINE_RUNNING && record.run.state != ENGINE_FROZEN))
		return false;
	fd = container_open_process(record.conmon, record.conmon_start);
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static void look_at_run(struct checkup *checkup, const char *key)
{
	owned(free) char *name = mem_format("run %s", key);
	struct thing thing = {.checkup = checkup, .name = key};
	struct record record;
	struct err err = ERR_INIT;

	if (record_read(checkup->dir, key, &record, &err) < 0 && err.kind != ERR_NOT_FOUND &&
	    !checkup->hub_runs)
		checkup_warning(checkup, name, "the next start of the hub removes it", "%s",
				err.text);
	else if (is_dead(&thing) && checkup_settles(checkup, is_dead, &thing))
		checkup_warning(checkup, name, "the next start of the hub starts it anew",
				"its monitor has died");
}

static void look_at_runs(struct checkup *checkup)
{
	owned(free) char *path = datadir_path(checkup->dir, "run/bundles");
	owned(closedir) DIR *bundles = opendir(path);
	const struct dirent *entry;
	struct err err = ERR_INIT;

	while (bundles && (entry = readdir(bundles)))
		if (entry->d_name[0] != '.' && check_key(entry->d_name, &err) == 0)
			look_at_run(checkup, entry->d_name);
}

/* --- links --- */

/* Does a run that has not ended hold this slot? */
static bool is_held(const struct datadir *dir, unsigned slot)
{
	owned(free) char *path = datadir_path(dir, "run/bundles");
	owned(closedir) DIR *bundles = opendir(path);
	const struct dirent *entry;

	while (bundles && (entry = readdir(bundles))) {
		struct record record;
		struct err err = ERR_INIT;

		if (check_key(entry->d_name, &err) == 0 &&
		    record_read(dir, entry->d_name, &record, &err) == 0 &&
		    record.run.state != ENGINE_ENDED && record.slot == slot)
			return true;
	}
	return false;
}

static bool is_nobodys_link(void *arg)
{
	const struct thing *thing = arg;

	return has_link(arg) && !is_held(thing->checkup->dir, thing->slot);
}

static int remove_link(void *arg, struct err *err)
{
	const struct thing *thing = arg;

	network_detach(thing->checkup->dir, thing->slot);
	return has_link(arg) ? err_set(err, ERR_SYSTEM, "the link stays") : 0;
}

static void look_at_links(struct checkup *checkup)
{
	owned(free) char *start = mem_format("es%sv", checkup->dir->instance);
	owned(closedir) DIR *links = opendir("/sys/class/net");
	const struct dirent *entry;

	while (links && (entry = readdir(links))) {
		owned(free) char *name = mem_format("link %s", entry->d_name);
		struct thing thing = {.checkup = checkup, .name = entry->d_name};

		if (!str_starts(entry->d_name, start))
			continue;
		thing.slot = (unsigned)strtoul(entry->d_name + strlen(start), NULL, 10);
		if (is_nobodys_link(&thing) && checkup_settles(checkup, is_nobodys_link, &thing))
			checkup_mend(checkup,
				     &(struct checkup_finding){.severity = CHECKUP_WARNING,
							       .thing = name,
							       .what = "no run holds it"},
				     remove_link, &thing);
	}
}

/* --- the network as a whole --- */

static int bring_up(void *arg, struct err *err)
{
	const struct thing *thing = arg;
	owned(run_role_setup_done) struct run_role_setup setup = {0};

	if (run_role_configure(thing->checkup->settings, thing->checkup->dir, &setup, err) < 0)
		return -1;
	return network_up(&setup.config, err);
}

static void look_at_network(struct checkup *checkup)
{
	owned(free) char *bridge = mem_format("es-%s", checkup->dir->instance);
	owned(free) char *table = mem_format("espace_%s", checkup->dir->instance);
	struct {
		const char *kind;
		const char *what;
		bool (*is_missing)(void *arg);
		struct thing thing;
	} parts[] = {
		{"bridge",
		 "it is missing: no Space can be reached",
		 has_no_link,
		 {.checkup = checkup, .name = bridge}},
		{"nft table",
		 "it is missing: Spaces reach what they must not",
		 has_no_table,
		 {.checkup = checkup, .name = table}},
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		owned(free) char *name = mem_format("%s %s", parts[i].kind, parts[i].thing.name);

		if (checkup_settles(checkup, parts[i].is_missing, &parts[i].thing))
			checkup_mend(checkup,
				     &(struct checkup_finding){.severity = CHECKUP_PROBLEM,
							       .thing = name,
							       .what = parts[i].what},
				     bring_up, &parts[i].thing);
	}
}

/* --- after a stop --- */

static int take_down(void *arg, struct err *err)
{
	struct checkup *checkup = arg;

	return teardown(checkup->dir, checkup->settings, err);
}

static bool has_cgroup(const struct datadir *dir)
{
	static const char *const folders[] = {"", "/memory", "/cpu", "/pids", "/freezer"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		owned(free) char *path =
			mem_format("/sys/fs/cgroup%s/espace-%s", folders[i], dir->instance);

		if (file_exists(AT_FDCWD, path))
			return true;
	}
	return false;
}

/* One word takes all of it away, so one line is enough. */
static void look_for_remains(struct checkup *checkup)
{
	owned(free) char *bridge = mem_format("es-%s", checkup->dir->instance);
	owned(free) char *table = mem_format("espace_%s", checkup->dir->instance);
	struct thing link = {.checkup = checkup, .name = bridge};
	struct thing rules = {.checkup = checkup, .name = table};
	const char *what = has_link(&link)         ? "a bridge is left of a hub that has ended"
			   : !has_no_table(&rules) ? "an nft table is left of a hub that has ended"
			   : has_cgroup(checkup->dir) ? "cgroups are left of a hub that has ended"
						      : NULL;

	if (what && !checkup->hub_runs)
		checkup_mend(checkup,
			     &(struct checkup_finding){.severity = CHECKUP_WARNING,
						       .thing = "machine",
						       .what = what,
						       .todo = "espaced stop"},
			     take_down, checkup);
}

int checkup_instance(struct checkup *checkup, struct err *err)
{
	if (!rundir_is_mounted(checkup->dir)) {
		look_for_remains(checkup);
		return 0;
	}
	look_at_runs(checkup);
	look_at_links(checkup);
	look_at_network(checkup);
	return 0;
}
