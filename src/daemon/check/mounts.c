#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon/check/checkup.h"
#include "runner/check.h"
#include "runner/container.h"
#include "runner/record.h"

/* Does each run that has a disk see it at /data, and may it write there? */
enum { MOUNTS_MAX_BYTES = 4 << 20 };

struct view {
	struct checkup *checkup;
	const char *key;
	const char *what; /* is wrong with it */
};

/* Its line of mountinfo (proc(5)): options of the mount, " - ", type, device, those of the disk. */
static const char *judge(const char *mountinfo, const char *target)
{
	const char *line = strstr(mountinfo, target);
	const char *options = line ? strstr(line, " - ext4 ") : NULL;
	owned(free) char *own = NULL;

	if (!options || memchr(line, '\n', (size_t)(options - line)))
		return "its /data is not mounted";
	own = mem_text_n(options, strcspn(options, "\n"));
	/* The kernel says either, by its age. */
	if (strstr(own, " ro,") || strstr(own, "emergency_ro"))
		return "its /data has become read-only: a write to this machine's disk has failed";
	return NULL;
}

static bool is_wrong(void *arg)
{
	struct view *view = arg;
	const struct datadir *dir = view->checkup->dir;
	owned(free) char *target = mem_format(" %s/run/bundles/%s/data ", dir->path, view->key);
	owned(free) char *path = NULL;
	owned(str_done) struct str text = str_new(MOUNTS_MAX_BYTES);
	owned(close) int monitor = -1;
	struct record record;
	struct err err = ERR_INIT; /* no key, no record, no monitor any more: no run */

	if (check_key(view->key, &err) < 0 || record_read(dir, view->key, &record, &err) < 0 ||
	    record.data_bytes == 0 || record.run.state == ENGINE_STARTING ||
	    record.run.state == ENGINE_ENDED)
		return false;
	path = mem_format("/proc/%d/mountinfo", (int)record.conmon);
	monitor = container_open_process(record.conmon, record.conmon_start);
	if (monitor < 0 || file_read(AT_FDCWD, path, &text, &err) < 0)
		return false;
	view->what = judge(text.data, target);
	return view->what != NULL;
}

int checkup_mounts(struct checkup *checkup, struct err *err)
{
	owned(free) char *path = datadir_path(checkup->dir, "run/bundles");
	owned(closedir) DIR *bundles = opendir(path);
	const struct dirent *entry;

	while (bundles && (entry = readdir(bundles))) { /* without the folder nothing runs */
		struct view view = {.checkup = checkup, .key = entry->d_name};
		owned(free) char *thing = mem_format("run %.60s", entry->d_name);

		if (is_wrong(&view) && checkup_settles(checkup, is_wrong, &view))
			checkup_warning(
				checkup, thing,
				"restart the Space; make room before, where the disk is full", "%s",
				view.what);
	}
	return 0;
}
